"""An output's pairs in the layouts that other tools read, behind one interface.

Offers ``job.export``. A layout is a :class:`~cluster.output.export.layout.Layout`, one a file, and
a line in ``formats.py``.
"""
