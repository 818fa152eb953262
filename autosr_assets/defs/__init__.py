"""One folder per dataset, search or comparison."""
