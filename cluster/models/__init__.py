"""Models and branches by their URIs: looked at without loading, loaded where they work.

Offers ``inspect`` (what a model is), ``catalog`` (branches), ``loading`` (for workers).
"""
