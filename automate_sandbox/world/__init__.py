"""The dealership that the sandbox serves: who is in it, and what happens there."""
