"""What is on record of a run: manifest, replay script, comparison of runs, and what may be forgotten."""
