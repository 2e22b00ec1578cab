"""The shared words: departments, divisions, items, purposes, legal bases, data sets.

Imports nothing of ours, reads only its own files and the folder it is given.
"""
