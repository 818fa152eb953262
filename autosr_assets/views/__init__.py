"""Presentation of results: metadata for the web UI, charts and HTML pages."""
