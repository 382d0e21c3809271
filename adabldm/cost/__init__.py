"""How much arithmetic an image costs, counted on the code that makes it.

Offers ``arithmetic`` (operations by part of the model) and ``miniature`` (calls by options).
"""
