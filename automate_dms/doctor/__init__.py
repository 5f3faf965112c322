"""`automate-dms doctor`: what a tenant really answers, and what to set for it."""
