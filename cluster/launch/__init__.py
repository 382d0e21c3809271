"""Joining or starting a Ray, and submitting jobs to a cluster.

Offers ``session.ray_session`` and ``jobs_api.Cluster``.
"""
