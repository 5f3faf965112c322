"""Any Singer stream -> Auto/Mate DMS, every record once."""
