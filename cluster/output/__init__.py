"""An output folder: the index of what is committed, ``run.json``, and their verification.

Offers ``index`` (the Delta table that the driver alone writes), ``run_json``, ``verification``.
"""
