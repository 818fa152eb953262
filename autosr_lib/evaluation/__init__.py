"""Evaluation of rubrics: grades, scores, the reference, the objective and held-out candidates."""
