"""What people write as YAML is read, or refused in one line, whatever is wrong with it."""

from __future__ import annotations

import pytest

from adabldm.core.yaml_text import YamlFault, load_yaml

WRONG = (
    b"name: \x00", b"\tname: x", b"a: !!float x\n", b"a: !!int ''\n", b"a: !!timestamp x\n",
    b"- x\na: b\n",
    b"name: caf\xe9\n", b"[" * 3000, b"name: 2020-99-99\n", b"a: !!python/object:os.system {}\n",
    b"? [a]\n: b\n", b"name: x\n---\nname: y\n", b"a: " + b"1" * 5000,
    b"&a a: &b b\n*c : 1\n", b"!!omap {a: 1}\n", b"a: !!bool x\n", b'a: "\\ud800"\n',
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_one_short_line(text: bytes) -> None:
    with pytest.raises(YamlFault, match=r"\Ais not YAML \([^\n]{3,400}\)\Z"):
        load_yaml(text)


def test_plain_values_are_read() -> None:
    assert load_yaml("a: [1, {b: c\u00e9}]\n".encode()) == {"a": [1, {"b": "c\u00e9"}]}
