"""What searches came to: totals, export, comparison, soundness, and evaluation on labelled data."""
