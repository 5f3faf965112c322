"""A stream's records, made into payloads."""
