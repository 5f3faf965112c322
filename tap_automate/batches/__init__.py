"""Records in files, and the BATCH messages that name them."""
