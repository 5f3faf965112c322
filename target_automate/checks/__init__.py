"""What is found out before a write is sent, and when nobody knows what became of it."""
