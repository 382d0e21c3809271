"""Training on Ray: one job over many processes, or many side by side.

Offers ``launch.train`` and ``train_each``, ``spec`` (what is trained), ``store`` (checkpoints).
"""
