"""Departments whose database answers: statements, dialects, pools."""
