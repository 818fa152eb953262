"""The results of searches: totals, findings, export, runs on record and comparison."""
