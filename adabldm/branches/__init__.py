"""Branches: what training on one kind of defect changed in a base, as a small folder.

Offers ``files.load_branch`` and ``save_branch``, ``card.BranchCard``, ``swapper.Swapper``.
"""
