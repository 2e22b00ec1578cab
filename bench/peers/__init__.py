"""The peers: each a process of its own in its own environment; none imports the product."""
