"""What people start: the command line, sheets to look at, the embedded model's scripts, benches.

Offers ``cli``, the program ``adabldm``; everything else is told by its room.
"""
