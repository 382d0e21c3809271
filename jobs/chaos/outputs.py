"""Where a round's manifest and output are: in a bucket behind the faulty store, or on a small disk
of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import fsspec

from cluster.output.index import FOLDER

DISK_BYTES = 48 * 1024 * 1024
LOG = f"{FOLDER}/_delta_log"


class Bucket:
    """A bucket at the S3 server ``upstream``, which the proxy stands in front of."""

    name: Literal["s3", "disk"] = "s3"

    def __init__(self, upstream: str, bucket: str, manifest: Path) -> None:
        self._fs: Any = fsspec.filesystem(
            "s3", client_kwargs={"endpoint_url": upstream}, use_listings_cache=False
        )
        self._fs.mkdir(bucket)
        self._bucket = bucket
        self._fs.put(str(manifest.parent) + "/", f"{bucket}/in/", recursive=True)
        self.manifest = f"s3://{bucket}/in/{manifest.name}"
        self.output = f"s3://{bucket}/out"

    def version(self) -> int:
        """Of the index; -1 before there is one."""
        try:
            names = self._fs.ls(f"{self._bucket}/out/{LOG}", detail=False)
        except FileNotFoundError:
            return -1
        return _newest(names)

    def left_over(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing of it outlives the server."""


class Disk:
    """A small file system in ``folder``, if this program may make one, else the folder."""

    name: Literal["s3", "disk"] = "disk"

    def __init__(self, folder: Path, manifest: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.is_small = small_disks_work(folder)
        shutil.copytree(manifest.parent, folder.parent / f"{folder.name}-in")
        self.files = folder.parent / f"{folder.name}-in"
        self.manifest = str(self.files / manifest.name)
        self.output = str(folder / "out")
        self._filler = folder / "filler"

    def version(self) -> int:
        """Of the index; -1 before there is one."""
        return _newest([one.name for one in Path(self.output, LOG).glob("*.json")])

    def fill(self, room: int) -> Callable[[], None]:
        """Leave ``room`` bytes of the disk; what is returned frees it again."""
        free = shutil.disk_usage(self._folder).free
        with suppress(OSError), self._filler.open("ab") as file:
            for _ in range(max(0, free - room) // 65536):
                file.write(bytes(65536))
        return lambda: self._filler.unlink(missing_ok=True)

    def left_over(self) -> list[str]:
        """Files that only drivers and workers at work may leave there."""
        partial = Path(self.output, ".partial")
        return [f"{one.relative_to(self.output)}: left over" for one in partial.rglob("*")]

    def close(self) -> None:
        if self.is_small:
            subprocess.run(["umount", str(self._folder)], check=False, capture_output=True)


def small_disks_work(folder: Path) -> bool:
    """Mount a small file system on ``folder``; whether that could be done."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        return subprocess.run(words, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _newest(names: list[str]) -> int:
    numbers = [Path(name).stem for name in names if name.endswith(".json")]
    return max((int(one) for one in numbers if one.isdecimal()), default=-1)


Output = Bucket | Disk
