"""Events of a job as JSON lines: one object a line, for programs that collect logs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """``{"time": ..., "event": ..., "request_id": ...}``; time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", {})
        return json.dumps({"time": when, "event": record.getMessage(), **fields}, default=str)


@contextmanager
def json_log(logger: logging.Logger, *, wanted: bool = True) -> Iterator[None]:
    """Events of ``logger`` go to the standard error stream, if that is ``wanted``."""
    if not wanted:
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
