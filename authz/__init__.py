"""Who may see what: the only importer of casbin, and the only door to data."""
