"""Every write, before it is sent and after, on the disk."""
