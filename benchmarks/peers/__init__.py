"""The tools that are compared with, each in an environment of its own."""
