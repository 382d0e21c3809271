"""Orchestration: places, models, manifests, outputs, and the Ray jobs that join them.

Never imports torch at module level; the method (:mod:`adabldm`) never imports this.
"""
