"""What the numbers mean: grades, scores, the reference, the objective and held-out truth."""
