"""Local copies of what is kept elsewhere: made once a machine, by name of their content."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.storage.location import Location


def fetched(
    kind: str,
    fingerprint: str,
    files: Callable[[], Mapping[str, Location]],
    check: Callable[[Path], object] = lambda _: None,
) -> Path:
    """The folder on this machine with the remote ``files``, by relative name.

    It is in the user's cache, under ``kind`` and the content's ``fingerprint``. A fresh copy is
    kept only if ``check`` does not raise on it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adabldm" / kind
    kept = cache / fingerprint
    if kept.exists():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache))
    try:
        for name, file in files().items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.fs.get_file(file.path, str(target))
        check(fresh)
        fresh.rename(kept)
    except OSError:
        if not kept.exists():  # else another worker of this machine was faster
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return kept
