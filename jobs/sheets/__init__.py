"""Pictures of what was planned and made, for people to look at.

Offers ``contact_sheet``, ``trimap_sheet``, ``picture_grid``.
"""
