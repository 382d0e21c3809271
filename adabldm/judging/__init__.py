"""Whether a pair is good, and how far a set of pairs is from real defects.

Offers ``pair`` (figures of one pair) and ``distribution`` (of sets, on anyone's features).
"""
