"""Measurements of the method; nothing imports this room.

``python -m jobs.bench.method`` and its neighbours, each a program of its own.
"""
