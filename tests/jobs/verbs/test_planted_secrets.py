"""A secret that a user's addresses, environment or job file hold is in nothing that is kept or
said."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import typer

from jobs import cli
from jobs.verbs import generate, report, status, verify
from tests.support.making import Row, good_png, index_of, write_manifest

SECRET = "Pl4ntedSecretOfTheUser"


@pytest.fixture
def fading_picture() -> Iterator[str]:
    """The signed address of a picture that is there when it is checked, and gone afterwards."""
    looks: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            looks.append(self.path)
            there = len(looks) == 1
            self.send_response(200 if there else 404)
            self.send_header("Content-Length", str(len(good_png(0)) if there else 0))
            self.end_headers()
            if there:
                self.wfile.write(good_png(0))

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    signed = f"X-Amz-Credential=me&X-Amz-Signature={SECRET}"
    yield f"http://127.0.0.1:{server.server_address[1]}/in/a.png?{signed}"
    server.shutdown()


def test_a_signed_address_is_in_no_index_page_or_line(
    ray_address: str,
    fading_picture: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["image"] = {"path": fading_picture}

    monkeypatch.setenv("ADABLDM_PLANTED_SECRET_KEY", SECRET)
    output = tmp_path / "out"
    asked = {
        "manifest": str(write_manifest(tmp_path / "in", 4, change)),
        "output": str(output),
        "allow_root": [fading_picture.partition("/in/")[0] + "/in"],
        "gpus_per_worker": 0,
        "model": "sleep://0",
    }
    with pytest.raises(typer.Exit) as ended:
        generate.main(**asked)
    assert ended.value.exit_code == 3
    failed = index_of(output)[1]
    assert failed["status"] == "failed"
    assert "/in/a.png?X-Amz-Credential=***&X-Amz-Signature=***" in failed["reason"]
    for say in (lambda: status.main(str(output)), lambda: verify.main(str(output))):
        say()
    report.main(str(output))
    said = "".join(capfd.readouterr())
    kept = b"".join(one.read_bytes() for one in output.rglob("*") if one.is_file())
    assert SECRET not in said
    assert SECRET.encode() not in kept
    assert SECRET not in str(index_of(output))


@pytest.mark.parametrize(
    "words",
    [
        ("generate", "--manifest", "{uri}", "--model", "sleep://0", "--output", "out"),
        ("generate", "--manifest", "in", "--model", "{uri}", "--output", "out"),
        ("generate", "--manifest", "in", "--model", "sleep://0", "--output", "{uri}"),
        ("generate", "--manifest", "in", "--model", "sleep://0", "--output", "o",
         "--branch", "a={uri}"),
        ("verify", "{uri}"),
        ("status", "{uri}"),
        ("plan", "{uri}", "--count", "3", "--output", "out"),
        ("submit", "--spec", "job.yaml"),
        ("submit", "--address", "http://me:{secret}@127.0.0.1:1", "--", "verify", "out"),
    ],
)  # fmt: skip
def test_a_password_in_an_address_is_refused_and_not_repeated(
    words: tuple[str, ...],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = f"s3://AKIA:{SECRET}@bucket/place"
    write_manifest(tmp_path / "in", 3)
    job = f"run: verify\nwith: {{output: '{uri}', nonsense: '{uri}'}}\n"
    (tmp_path / "job.yaml").write_text(job)
    monkeypatch.chdir(tmp_path)
    words = tuple(one.format(uri=uri, secret=SECRET) for one in words)
    monkeypatch.setattr("sys.argv", ["adabldm", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = "".join(capfd.readouterr())
    assert ended.value.code == (1 if "--address" in words else 2), said
    assert SECRET not in said
    assert said.strip()
    assert not (tmp_path / "out").exists()
