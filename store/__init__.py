"""The hub's own database: one file per thing = its table and the few statements it needs."""
