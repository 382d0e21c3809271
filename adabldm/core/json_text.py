"""JSON from files that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def load_json(text: str | bytes, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """The content of ``text``. Raises ``ValueError`` for all that is wrong with it.

    ``parse_constant`` gets ``NaN`` and the infinities, as in :func:`json.loads`.
    """
    try:
        return json.loads(text, parse_constant=parse_constant)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
