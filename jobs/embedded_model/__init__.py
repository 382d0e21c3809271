"""How the model in the package is trained and measured against real defects.

``python -m jobs.embedded_model.train`` and ``python -m jobs.embedded_model.measure``.
"""
