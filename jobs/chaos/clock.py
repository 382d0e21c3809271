"""A wall clock that jumps, for drivers and workers alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """To be made before the programs that it is for are started; ``works`` where there is a C
    compiler."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_bytes(bytes(8))
        library = folder / "clock.so"
        compiler = shutil.which("cc")
        words = [compiler or "cc", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        done = compiler and subprocess.run(words, check=False, capture_output=True).returncode == 0
        self.works = bool(done)
        if self.works:
            os.environ.update(CHAOS_CLOCK=str(self._file), LD_PRELOAD=str(library))

    def move(self, seconds: int) -> None:
        """The clock is now this much off."""
        with self._file.open("r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))
