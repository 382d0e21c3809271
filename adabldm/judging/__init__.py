"""Whether a pair is good, and how far a set of pairs is from real defects.

Offers ``verdict`` (the judge of one pair) with ``options``, ``limits`` and ``candidates``; ``pair``
(figures of any two pictures) and ``distribution`` (of sets, on anyone's features).
"""
