"""From requests to certified, typed rows."""
