"""``adabldm report``: what a run made, as one page that needs nothing but a browser.

``survey`` reads the index once; ``tiles`` looks at pictures; ``charts`` and its neighbours turn
figures into shapes; ``page`` puts all into the templates.
"""
