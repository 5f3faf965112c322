"""What can be written to the DMS: the table of sinks, and the words in which it is written."""
