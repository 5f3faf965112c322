"""Auto/Mate DMS -> Singer."""
