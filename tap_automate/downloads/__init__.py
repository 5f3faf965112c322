"""The files that records name."""
