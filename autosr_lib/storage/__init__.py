"""What is kept: datasets read, tables stored, results exported."""
