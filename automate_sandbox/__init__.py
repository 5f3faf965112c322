"""A dealership in a box: the API on loopback, for demos and tests."""
