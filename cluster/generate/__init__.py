"""From a checked manifest to committed pairs: job, flow, worker, driver.

Offers ``job.generate``; a request's life is told in ``worker`` and ``driver``.
"""
