"""A warehouse compared with the DMS."""
