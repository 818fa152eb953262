"""Sensors, schedules and jobs, and the maintenance of runs: pools, dead runs, pruning."""
