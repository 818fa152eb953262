"""Immutable values that validate themselves: prompts, candidates, rubrics and preferences."""
