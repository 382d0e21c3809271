"""The method: one file a stage of the paper, ``exact`` and ``fast`` side by side.

Offers ``options``, ``exact``, ``fast``, ``blending``, ``decoder_adaptation``, ``closed_form``.
"""
