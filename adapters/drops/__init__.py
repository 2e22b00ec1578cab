"""Departments who hand over files: a drop folder becomes a snapshot that is read as SQL."""
