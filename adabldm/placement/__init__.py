"""Where a defect goes on a picture, which shape it has, and pasting it there.

Offers ``transform`` (recipes), ``batch_placer`` (by the million), ``invented_masks``, ``pasting``.
"""
