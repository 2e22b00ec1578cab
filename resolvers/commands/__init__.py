"""Commands: what mutations do, one file an area (`office.py` has the transaction around them)."""
