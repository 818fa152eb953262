"""The search for a better rubric, one prompt at a time."""
