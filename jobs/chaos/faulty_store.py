"""A proxy in front of an S3 server that fails as it is told.

Requests pass as they are. While a fault is on, a share of them is answered 403, 500 or 503, waits,
is cut in mid-body, loses its answer after it was done, or gets other bytes than are there.
"""

from __future__ import annotations

import http.client
import random
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

StoreFault = Literal["403", "500", "503", "slow", "cut", "lost answer", "wrong bytes"]
CODES = {"403": "AccessDenied", "500": "InternalError", "503": "SlowDown"}
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
PAGE = b"<html><body>Sign in to the guest network</body></html>"
SLOW_SECONDS = (0.5, 3.0)


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A fault that ``share`` of the requests get until ``until`` (monotonic seconds)."""

    fault: StoreFault
    share: float
    until: float


class FaultyStore:
    """At ``endpoint``; passes on to the server at ``upstream`` (http://host:port)."""

    def __init__(self, upstream: str, seed: int = 0) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.hits: Counter[str] = Counter()
        """Requests that were struck, by fault."""
        self._strikes: list[Strike] = []
        self._rng = random.Random(f"store {seed}")  # noqa: S311
        self._lock = Lock()
        handler = type("Handler", (_Handler,), {"store": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, daemon=True, name="store").start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def strike(self, fault: StoreFault, share: float, seconds: float) -> None:
        """From now on, for ``seconds``."""
        until = time.monotonic() + seconds
        with self._lock:
            self._strikes.append(Strike(fault=fault, share=share, until=until))

    def calm(self) -> None:
        """No fault is on any more."""
        with self._lock:
            self._strikes.clear()

    def drawn(self) -> StoreFault | None:
        """The fault of the next request."""
        now = time.monotonic()
        with self._lock:
            self._strikes = [one for one in self._strikes if one.until > now]
            for one in self._strikes:
                if self._rng.random() < one.share:
                    self.hits[one.fault] += 1
                    return one.fault
        return None

    def rest(self) -> float:
        """Seconds that a slow request waits."""
        with self._lock:
            return self._rng.uniform(*SLOW_SECONDS)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def spoiled(path: str, body: bytes) -> bytes:
    """Other bytes than ``body``: of a picture as many, of which some differ; else a page."""
    if ".png" not in path or len(body) < 16:
        return PAGE
    middle = len(body) // 2
    return body[:middle] + bytes(byte ^ 0x5A for byte in body[middle : middle + 8]) + body[
        middle + 8 :
    ]  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    """Of one connection; ``store`` is whose."""

    store: ClassVar[FaultyStore]
    protocol_version = "HTTP/1.1"
    _there: http.client.HTTPConnection | None = None

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.store.drawn()
        if fault in CODES:
            self._refuse(int(fault or 0))
            return
        if fault == "slow":
            time.sleep(self.store.rest())
        if fault == "cut" and self.command != "GET":
            self.close_connection = True
            return
        status, headers, data = self._ask(body)
        if fault == "lost answer":
            self.close_connection = True
            return
        if fault == "wrong bytes" and self.command == "GET" and status < 300:
            data = spoiled(self.path, data)
        self._answer(status, headers, data, cut=fault == "cut")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
        for last in (False, True):
            if self._there is None:
                self._there = http.client.HTTPConnection(self.store.upstream, timeout=60)
            try:
                self._there.request(self.command, self.path, body, headers)
                answer = self._there.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (OSError, http.client.HTTPException):
                self._there.close()
                self._there = None
                if last:
                    raise
        raise AssertionError

    def _answer(
        self, status: int, headers: list[tuple[str, str]], data: bytes, *, cut: bool
    ) -> None:
        length = str(len(data))
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def _refuse(self, status: int) -> None:
        code = CODES[str(status)]
        text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self._answer(status, [("Content-Type", "application/xml")], text.encode(), cut=False)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is told."""
