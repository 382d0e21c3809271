"""Bad input: exit code 2, a line that names row, field, value and rule, and nothing written."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.images import encode_png
from jobs import cli
from jobs.verbs.generate_words import parse_batch_size
from tests.support.making import SIZE, checks_of, good_png, rows_of, write_manifest

Row = dict[str, Any]
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def generate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run ``adabldm generate`` on CPU; returns its exit code and its error lines."""

    def run(manifest: Path | str, *more: str, model: str = "sleep://0") -> tuple[int, list[str]]:
        words = ["--manifest", str(manifest), "--output", str(tmp_path / "out"), "--model", model]
        argv = ["adabldm", "generate", *words, "--gpus-per-worker", "0", *more]
        monkeypatch.setattr("sys.argv", argv)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err.splitlines()

    return run


def enormous_png() -> bytes:
    """50,000 x 50,000 by its header, a few dozen bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def grey(value: int, size: int = SIZE) -> dict[str, bytes]:
    return {"bytes": encode_png(np.full((size, size), value, np.uint8))}


def set_to(field: str, value: object) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        rows[3][field] = value

    return change


def set_placement(**changes: object) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        rows[3].update(trimap=None, placement={**rows[2]["placement"], **changes})

    return change


SPOILED = [
    (set_to("request_id", None), "request_id: None: must be a non-empty string"),
    (set_to("request_id", "r0001"), "request_id: 'r0001': must be unique, row 1 has it too"),
    (set_to("request_id", "../../x"), "request_id: '../../x': must not contain '..'"),
    (set_to("request_id", "a/b"), "must not contain '/'"),
    (set_to("request_id", "a\\b"), "must not contain"),
    (set_to("request_id", "a\nb"), "must not contain control characters"),
    (set_to("request_id", "é" * 150), "must have at most 200 bytes"),
    (set_to("object", "index"), "object: 'index': index, extras, run.json are of the output"),
    (set_to("object", "a/../b"), "object: 'a/../b': must not contain '..'"),
    (set_to("defect", ""), "defect: '': must be a non-empty string"),
    (set_to("prompt", None), "prompt: None: must be a string"),
    (set_to("seed", None), "seed: None: must be a 64-bit integer"),
    (set_to("image", None), "image: None: must be there"),
    (set_to("image", {"bytes": None, "path": None}), "image: None: must have bytes or a path"),
    (set_to("image", {"path": "files/none.png"}), "image: 'files/none.png': there is no such file"),
    (set_to("image", {"path": "files"}), "image: 'files': cannot be read"),
    (set_to("image", {"path": "/etc/passwd"}), "image: '/etc/passwd': is outside the allowed"),
    (set_to("image", {"path": "files/../../x.png"}), "must not contain '..'"),
    (set_to("image", {"path": "s3://elsewhere/x.png"}), "is outside the allowed roots"),
    (set_to("image", {"bytes": b"no picture"}), "image: '<10 inline bytes>': not a readable"),
    (set_to("image", {"bytes": enormous_png()}), "more than 64000000 pixels are not decoded"),
    (set_to("trimap", None), "trimap: None: exactly one of trimap and placement"),
    (set_to("trimap", grey(255, SIZE + 1)), "trimap: '49 x 49': must be of the image's size"),
    (set_to("trimap", grey(200)), "values 200 are not among 0, 127, 255"),
    (set_to("trimap", grey(127)), "no pixel is 255 (defect)"),
    (set_to("model", "/somewhere/else"), "model: '/somewhere/else': "),
    (set_placement(left=SIZE), "placement: {'angle': 30.0, "),
    (set_placement(angle=float("nan")), "placement.angle: nan: must be a finite number"),
    (set_placement(scale=1e9), "placement.scale: 1000000000.0: must be above 0"),
    (set_placement(mask=grey(0)), "placement.mask: '<"),
    (set_placement(foreground=grey(255, 9)), "placement.foreground: '9 x 9': must be of the image"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), SPOILED, ids=[told for _, told in SPOILED])
def test_a_bad_row_is_refused_with_one_line_and_nothing_is_written(
    change: Callable[[list[Row]], None], expected: str, generate: Run, tmp_path: Path
) -> None:
    model = str(tmp_path / "model") if "model" in expected else "sleep://0"
    if "model" in expected:
        model = "embedded"
    code, lines = generate(write_manifest(tmp_path / "in", change=change), model=model)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("row 3 (request_id ")
    assert expected in lines[0]
    assert not (tmp_path / "out").exists()


def test_every_fault_is_listed_with_its_row(generate: Run, tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["seed"] = None
        rows[4].update(object="", trimap=grey(3))

    code, lines = generate(write_manifest(tmp_path / "in", change=change))
    assert code == 2
    assert [line.split(":")[0] for line in lines] == [
        "row 1 (request_id 'r0001')",
        "row 4 (request_id 'r0004')",
        "row 4 (request_id 'r0004')",
    ]


def test_thousands_of_faults_are_counted(generate: Run, tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        for row in rows:
            row["seed"] = None

    code, lines = generate(write_manifest(tmp_path / "in", 2000, change))
    assert code == 2
    assert len(lines) == 51
    assert lines[-1] == "... 1950 more; 2000 faults in all"


def test_a_link_out_of_the_roots_is_refused_until_its_root_is_allowed(
    generate: Run, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.png").write_bytes(b"no picture, but it may be looked at")
    manifest = write_manifest(tmp_path / "in", change=set_to("image", {"path": "files/link.png"}))
    (tmp_path / "in/files/link.png").symlink_to(outside / "x.png")
    code, (line, *_) = generate(manifest)
    assert f"{tmp_path}/in/files/link.png is a symbolic link to {outside}/x.png" in line
    assert f"outside the allowed roots ({tmp_path}/in); --allow-root {outside} allows it" in line
    code, lines = generate(manifest, "--allow-root", str(outside))
    assert code == 2
    assert "not a readable picture" in lines[0]


class Tensor(pa.ExtensionType):
    """A type whose loading code must not run."""

    def __init__(self) -> None:
        super().__init__(pa.list_(pa.float32()), "tests.arrow_tensor")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Tensor:
        raise AssertionError("the extension type was loaded")


@pytest.mark.parametrize("nested", [False, True])
def test_extension_types_are_refused_before_their_code_runs(
    nested: bool, generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in")
    table = pq.read_table(manifest)
    column: pa.Array = pa.ExtensionArray.from_storage(
        Tensor(), pa.array([[1.0]] * table.num_rows, pa.list_(pa.float32()))
    )
    if nested:
        column = pa.StructArray.from_arrays([column], ["inner"])
    pq.write_table(table.append_column("embedding", column), manifest)
    pa.register_extension_type(Tensor())
    try:
        code, lines = generate(manifest)
    finally:
        pa.unregister_extension_type("tests.arrow_tensor")
    assert code == 2
    assert len(lines) == 1
    assert str(manifest) in lines[0]
    where = "embedding.inner" if nested else "embedding"
    assert f"column '{where}' is tests.arrow_tensor" in lines[0]
    assert "no Arrow extension types" in lines[0]
    assert not (tmp_path / "out").exists()


def test_an_unreadable_schema_is_refused(generate: Run, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "in")
    data = manifest.read_bytes()
    at = data.rindex(b"ARROW:schema") + len(b"ARROW:schema")
    manifest.write_bytes(data[:at] + b"\x15" + data[at + 1 :])
    code, lines = generate(manifest)
    assert (code, len(lines)) == (2, 1)
    assert "ARROW:schema cannot be read" in lines[0]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"seed": None}, "column 'seed' is missing"),
        ({"seed": ["7"] * 6}, "column 'seed' is string, it must be int64"),
        ({"request_id": [7] * 6}, "column 'request_id' is int64, it must be string"),
        ({"image": [7] * 6}, "column 'image' is int64, it must be struct"),
        ({"placement": [{"turn": 1.0}] * 6}, "'placement' has a field 'turn' that is not known"),
        ({"status": ["ok"] * 6}, "column 'status' is a name of the index's own"),
        (
            {"deep": [{"a": 1}] * 6},
            "manifest.parquet': column 'deep' is struct<a: int64>: only plain values",
        ),
    ],
)
def test_columns_of_the_wrong_kind_are_refused(
    columns: dict[str, Any], expected: str, generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in")
    table = pq.read_table(manifest)
    for name, values in columns.items():
        table = table.drop_columns([name]) if name in table.column_names else table
        table = table if values is None else table.append_column(name, pa.array(values))
    pq.write_table(table, manifest)
    code, lines = generate(manifest)
    assert (code, len(lines)) == (2, 1)
    assert expected in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_text_that_is_no_text_is_refused(generate: Run, tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows_of(3))
    broken = pa.array([b"\xff\xfe"] * 3).view(pa.string())
    table = table.drop_columns(["prompt"]).append_column("prompt", broken)
    write_manifest(tmp_path / "in")
    pq.write_table(table, tmp_path / "in/manifest.parquet")
    code, lines = generate(tmp_path / "in/manifest.parquet")
    assert (code, len(lines)) == (2, 1)
    assert "its data is broken" in lines[0]


@pytest.mark.parametrize("place", ["nothing.parquet", "s3://", "nowhere://x"])
def test_a_manifest_that_is_not_there_is_refused(place: str, generate: Run, tmp_path: Path) -> None:
    code, lines = generate(str(tmp_path / place) if place == "nothing.parquet" else place)
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith("manifest: ")


def pickled_checkpoint(*, zipped: bool) -> bytes:
    evil = b"cos\nsystem\n(S'true'\ntR."
    if not zipped:
        return evil
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", evil)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("m.ckpt", pickled_checkpoint(zipped=False), "weights only, never pickled code"),
        ("m.ckpt", pickled_checkpoint(zipped=True), "(it names os.system)"),
        ("m.safetensors", pickled_checkpoint(zipped=False), "is not a safetensors file"),
        ("m.safetensors", struct.pack("<Q", 2) + b"{}xx", "is cut short or has more bytes"),
        ("m.zip", b"", "a model file ends in"),
        ("unet/weights.bin", pickled_checkpoint(zipped=True), "as safetensors only"),
        ("unet/weights.safetensors", b"\x80\x04.", "is not a safetensors file"),
    ],
)
def test_a_pickle_posing_as_a_model_is_refused_and_never_loaded(
    name: str, content: bytes, expected: str, generate: Run, tmp_path: Path
) -> None:
    file = tmp_path / "model" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    model = file
    if "/" in name:
        model = tmp_path / "model"
        (model / "model_index.json").write_text("{}")
    else:
        (file.parent / "tokenizer").mkdir()
        (file.parent / "tokenizer/vocab.json").write_text("{}")
    code, lines = generate(write_manifest(tmp_path / "in"), model=str(model))
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith("model: ")
    assert expected in lines[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--steps", "0"], "--steps: 0: must be in 1..1000"),
        (["--mode", "fast", "--steps", "1"], "--steps: 1: must be in 2..200 in fast"),
        (["--mode", "fast", "--strength", "0"], "--strength: 0.0: must be above 0, at most 1"),
        (["--strength", "0.5"], "--strength: 0.5: is of --mode fast: exact starts from noise"),
        (["--mode", "fast", "--detail", "2"], "--detail: 2.0: must be in 0..1"),
        (["--detail", "0.5"], "--detail: 0.5: is of --mode fast: exact starts from noise"),
        (["--workers", "3:2"], "--workers: '3:2': must be MIN:MAX"),
        (["--batch-size", "0"], "--batch-size: 0: must be 1 or more"),
        (["--batch-size", "many"], "--batch-size: 'many': must be a whole number, or auto"),
        (["--keep", "source,mask"], "--keep: 'mask': must be among source, trimap, blended"),
        (["--output", "memory://x"], "output: 'memory:///x': an output is at one of file, s3"),
    ],
)
def test_an_option_of_no_sense_is_refused(
    words: list[str], expected: str, generate: Run, tmp_path: Path
) -> None:
    code, lines = generate(write_manifest(tmp_path / "in"), *words)
    assert (code, len(lines)) == (2, 1)
    assert expected in lines[0]
    assert not (tmp_path / "out").exists()


def test_inline_pictures_are_as_good_as_files(tmp_path: Path) -> None:
    from cluster.manifest.reader import Manifest

    manifest = Manifest(str(write_manifest(tmp_path / "in")))
    checks = checks_of(manifest)
    row = rows_of(1)[0]
    inline = {**row, "image": {"bytes": good_png(0), "path": None}}
    assert checks.check(row) == checks.check(inline)


@pytest.mark.parametrize(
    ("text", "gpu", "found"),
    [
        ("6", True, (6, 6)),
        ("6", False, (6, None)),
        ("auto", True, (32, "auto")),
        ("auto", False, (4, None)),
    ],
)
def test_a_gpu_computes_a_batch_together_and_a_cpu_leaves_it_to_the_pipeline(
    text: str, gpu: bool, found: tuple[int, object]
) -> None:
    assert parse_batch_size(text, gpu=gpu) == found
