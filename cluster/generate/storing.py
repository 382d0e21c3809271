"""What a request's pictures become: files in the output, and the request's fact.

An accepted pair is published: its image, and the mask that was chosen. A rejected one is not; what
is kept of it, if that was asked for, lies with the extras, so that a person can look at it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adabldm.core import images
from adabldm.judging.options import JudgeOptions
from adabldm.sampling.options import RequestTrace
from cluster.generate.protocol import OK, REJECTED, Extra, Fact, Work
from cluster.output.paths import ASKED_MASK, REFINED_MASK, extra_key, image_key, mask_key
from cluster.output.unfinished import unfinished
from cluster.storage.hashing import sha256
from cluster.storage.location import Location


@dataclass(frozen=True, kw_only=True)
class Made:
    """One request's pictures, as they are written, and what its model took besides.

    ``asked`` is the mask asked for, ``refined`` what really changed (None: it was not judged);
    ``reason`` why it is rejected, None if it is accepted.
    """

    work: Work
    image: np.ndarray
    asked: np.ndarray
    refined: np.ndarray | None
    reason: str | None
    extras: Mapping[str, np.ndarray]
    trace: RequestTrace
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Store:
    """Writes to ``output``, for the driver with ``epoch``: of a judged pair the mask that ``judge``
    says; of a rejected one nothing, unless ``keep_rejected``; into ``shards`` folders."""

    output: Location
    judge: JudgeOptions | None
    keep_rejected: bool
    epoch: int = 0
    shards: int = 0

    def __call__(self, made: Made) -> Fact:
        """Write the files of ``made`` and return the request's fact. Raises ``OSError``."""
        began = time.perf_counter()
        files = self._rejected(made) if made.reason is not None else self._published(made)
        seconds = {**made.trace.seconds, **made.seconds, "store": time.perf_counter() - began}
        return Fact(
            request_id=made.work.request_id,
            status=OK if made.reason is None else REJECTED,
            reason=made.reason,
            quality=sorted(made.trace.quality.items()),
            seconds=sorted(seconds.items()),
            **files,
        )

    def _published(self, made: Made) -> dict:
        names = (made.work.object, made.work.defect, made.work.request_id)
        extras = dict(made.extras)
        image, mask = image_key(*names, self.shards), mask_key(*names, self.shards)
        published = made.asked
        if made.refined is not None:
            refine = self.judge is not None and self.judge.mask == "refined"
            published = made.refined if refine else made.asked
            other = (ASKED_MASK, made.asked) if refine else (REFINED_MASK, made.refined)
            extras.update([other])
        return {
            "extras": self._extras(made, extras),
            "mask": mask,
            "mask_sha256": self._write(mask, published),
            "image": image,
            "image_sha256": self._write(image, made.image),
        }

    def _rejected(self, made: Made) -> dict:
        if not self.keep_rejected:
            return {"extras": []}
        extras = {**made.extras, REJECTED: made.image, ASKED_MASK: made.asked}
        if made.refined is not None:
            extras[REFINED_MASK] = made.refined
        return {"extras": self._extras(made, extras)}

    def _extras(self, made: Made, pictures: Mapping[str, np.ndarray]) -> list[Extra]:
        found: list[Extra] = []
        for name, pixels in pictures.items():
            path = extra_key(made.work.request_id, name, self.shards)
            found.append({"name": name, "path": path, "sha256": self._write(path, pixels)})
        return found

    def _write(self, key: str, pixels: np.ndarray) -> str:
        data = images.encode_png(pixels)
        self.output.join(key).write(data, partial=unfinished(self.output, self.epoch))
        return sha256(data)
