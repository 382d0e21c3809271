"""Pictures, trimaps, names, random numbers, devices: what every other room stands on.

Offers ``images``, ``trimap``, ``picture_uri``, ``objects``, ``random_streams``, ``faults``; imports
nothing of ours.
"""
