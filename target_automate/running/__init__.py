"""One run: what is handed in, in which order, by how many threads, and how it ends."""
