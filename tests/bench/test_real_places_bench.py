"""Whether places like the few real defects' own foretell where held-out ones lie."""

from __future__ import annotations

import pytest

from jobs.bench import real_places

TURNED = "head=0.18,neck=0.48,thread=0.9,tip=1"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "parts", "shots"), [("screw", TURNED, 10), ("cookie", "", 10), ("mt_dev", "", 10)]
)
def test_real_places(shared, capsys, name, parts, shots):
    real_places.main(data=shared / "data" / name, parts=parts, shots=shots)
    told = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{told}")
    assert f"{name}, " in told
