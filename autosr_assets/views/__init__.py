"""What people look at: metadata, charts, the report."""
