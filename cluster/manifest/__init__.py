"""The manifest: its columns, its reader, and the checks of every row before anything starts.

Offers ``schema``, ``reader.Manifest``, ``validation.validate``, ``writer`` (for plans).
"""
