"""Data sets as people have them: read, inspected, split, prepared.

Offers the one opening of a data set for all verbs; ``layouts`` reads what is on a disk.
"""
