"""Proof that writes are neither lost nor made twice: what is fed, what breaks, who judges."""
