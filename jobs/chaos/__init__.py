"""A seeded schedule of faults against ``generate`` on a cluster of this machine's own: what is
lost, doubled or different at the end. Nothing that users start imports this.
"""
