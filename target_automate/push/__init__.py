"""`automate-dms push`: the operator's commands."""
