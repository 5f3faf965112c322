"""Any Singer stream -> a DuckDB file, Arrow all the way."""
