"""Departments who answer over HTTP, about persons only: REST interfaces and subgraphs."""
