"""Training a branch of a base, or a small model from nothing.

Offers ``options`` (no torch), ``examples`` (the one stream), ``objectives``, ``loop``, ``branch``,
``small_model``.
"""
