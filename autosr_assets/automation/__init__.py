"""What starts runs by itself, and what is known of runs: sensors, schedules, jobs, tags."""
