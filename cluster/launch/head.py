"""Whether the head of the Ray that a job works on is still there.

Ray ends a driver whose head has been away for 60 s, without a word and whatever it still had to do.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from threading import Event, Thread

AWAY_SECONDS = 30.0
"""So long, and the job stops in good order while it can."""
LOOK_SECONDS = 2.0


class Head:
    """The one at ``address`` (host:port), looked at beside the work until it is closed."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._seen = time.monotonic()
        self._closed = Event()
        Thread(target=self._look, daemon=True, name="head").start()

    @property
    def is_lost(self) -> bool:
        """Whether nothing has answered for :data:`AWAY_SECONDS`."""
        return time.monotonic() - self._seen > AWAY_SECONDS

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _look(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError), socket.create_connection(self._address, timeout=LOOK_SECONDS):
                self._seen = time.monotonic()
            self._closed.wait(LOOK_SECONDS)
