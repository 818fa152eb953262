"""What the assets do: take handles, call the library for the prompts of a run, publish numbers."""
