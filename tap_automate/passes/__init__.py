"""What is looked at behind the windows of a run."""
