"""Folders and files under any fsspec URI: written whole, read with patience, kept once a machine.

Offers ``location.Location``, ``whole_files``, ``local_cache``, ``hashing``.
"""
