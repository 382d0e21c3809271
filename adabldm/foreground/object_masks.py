"""Where the object is in the good pictures of one object of a data set: one way for all verbs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import read_mask, read_picture

if TYPE_CHECKING:
    from adabldm.foreground.features import Features
    from adabldm.foreground.predictor import ForegroundPredictor

READERS = 8
"""Pictures that are read at the same time."""


class ObjectMasks:
    """Object masks of ``folder``: those that were prepared, else what its good pictures teach.

    Learned when first needed, with ``features`` if given, else with the folder's own backbone.
    Raises :class:`~adabldm.core.picture_uri.DatasetFault` for a picture that cannot be read.
    """

    def __init__(self, folder: ObjectFolder, features: Features | None = None) -> None:
        self._folder = folder
        self._features = features

    @cached_property
    def predictor(self) -> ForegroundPredictor:
        # Here, because it needs torch; textures and prepared data sets do not.
        from adabldm.foreground.features import open_features
        from adabldm.foreground.predictor import evenly, fit_foreground

        with ThreadPoolExecutor(READERS) as pool:
            pictures = list(pool.map(read_picture, evenly(self._folder.good)))
        return fit_foreground(pictures, self._features or open_features(self._folder.backbone))

    @property
    def is_texture(self) -> bool:
        """Whether the object fills its pictures."""
        return (self._folder.surface or self.predictor.surface) == "texture"

    def mask(self, uri: str, picture: np.ndarray | None = None) -> np.ndarray:
        """The object in the good picture at ``uri``, uint8 (H, W) of 0 / 255.

        ``picture`` is its pixels, uint8 (H, W, 3), where they have been read already.
        """
        prepared = self._folder.foreground.get(uri)
        if prepared is not None:
            return read_mask(prepared)
        return self.predictor.mask(read_picture(uri) if picture is None else picture)
