"""The command line `autosr`."""
