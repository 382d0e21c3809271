"""Requests drawn from a data set: which good picture, which defect, where, which prompt.

Offers ``planner.Planner``; row i is a function of data set, seed and i alone.
"""
