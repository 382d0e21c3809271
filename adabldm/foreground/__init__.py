"""Where the object is in a good picture, and whether there is one at all.

Offers ``predictor.fit_foreground`` (from a product's good pictures) and ``features`` to look with.
"""
