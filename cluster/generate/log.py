"""What happens in a job, as events with their requests' ids, for whoever listens.

Python's logging carries them: an event's name is the message, and what belongs to it is in
``fields``. Nothing is said unless a handler is added (:mod:`jobs.json_log`).
"""

from __future__ import annotations

import logging
from typing import Any

LOGGER = logging.getLogger("adabldm.generate")
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False


def event(name: str, **fields: Any) -> None:
    """Tell of an event; None is left out of ``fields``."""
    if LOGGER.isEnabledFor(logging.INFO):
        told = {key: value for key, value in fields.items() if value is not None}
        LOGGER.info(name, extra={"fields": told})
