"""A folder of JSON lines -> Singer."""
