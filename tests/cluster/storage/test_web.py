"""Single files over http, from a server of another process: bounded, and never from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from adabldm.core.faults import InputFault
from cluster.storage import web
from cluster.storage.location import Location, TooLargeError, location

SERVER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/pics/a"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 1000)
        elif self.path.startswith("/pics/endless"):
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65536)
        elif self.path.startswith("/pics/slow"):
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        elif self.path.startswith("/pics/elsewhere"):
            self.send_response(302)
            self.send_header("Location", "/secret")
            self.end_headers()
        elif self.path.startswith("/secret"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"secret")
        else:
            self.send_error(int(self.path.rpartition("/")[2] or 404))
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.communicate()


def test_a_file_is_read_whole(host: str) -> None:
    assert Location.of(f"{host}/pics/a.png").read() == b"x" * 1000
    assert Location.of(f"{host}/pics/a%20b.png?token=1%2F2").read() == b"x" * 1000


def test_a_file_that_never_ends_is_bounded_in_size(host: str) -> None:
    with pytest.raises(TooLargeError, match="more than 1000000 bytes"):
        Location.of(f"{host}/pics/endless").read(1_000_000)


def test_a_file_that_trickles_is_bounded_in_time(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "SECONDS", 0.5)
    with pytest.raises(OSError, match=r"no whole answer in 0\.5 s"):
        Location.of(f"{host}/pics/slow").read()


def test_a_redirect_is_named_and_not_followed(host: str) -> None:
    with pytest.raises(PermissionError, match="redirects to '/secret'"):
        Location.of(f"{host}/pics/elsewhere").read()


@pytest.mark.parametrize(
    ("answer", "kind"), [(404, FileNotFoundError), (403, PermissionError), (500, OSError)]
)
def test_what_the_server_refuses_is_named(host: str, answer: int, kind: type[OSError]) -> None:
    with pytest.raises(kind, match=str(answer)):
        Location.of(f"{host}/pics/{answer}").read()


def test_nobody_at_the_address_is_an_error_of_the_world() -> None:
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        Location.of("http://127.0.0.1:1/x.png").read()


@pytest.mark.parametrize(
    "url",
    [
        "http://h/a/../b",
        "http://h/a/%2e%2e/b",
        "http://h/a/%252e%252e/b",
        "http://h/a/..%5Cb",
        "http://h/a\\b",
        "http://user@h/a",
        "http://h/a b",
        "http://h/a#b",
        "http:///a",
        "http://h:port/a",
        "https://h/\na",
    ],
)
def test_an_address_that_a_server_may_read_otherwise_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|[Pp]ort|URI"):
        Location.of(url)


def test_an_address_is_inside_its_own_host_and_folder_only() -> None:
    root = Location.of("http://host/pics/")
    for inside in ("http://host/pics/a", "http://HOST:80/pics/b/c", "http://host//pics/./a"):
        assert Location.of(inside).inside(root), inside
    for outside in (
        "http://host/pics2/a",
        "http://host.evil/pics/a",
        "https://host/pics/a",
        "http://host:8080/pics/a",
        "http://host/pics?x=/pics/a",
    ):
        assert not Location.of(outside).inside(root), outside
    assert Location.of(Location.of("http://host/pics/a?b=1").uri).uri == "http://host/pics/a?b=1"


def test_http_is_refused_where_a_folder_or_an_output_is_asked_for() -> None:
    with pytest.raises(InputFault, match=r"--output: .*for a manifest's pictures only"):
        location("--output", "http://host/out")
    with pytest.raises(PermissionError, match="for a manifest's pictures only"):
        Location.of("https://host/model").exists()
