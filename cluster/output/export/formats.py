"""The layouts of an export, by the names that a user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.output.export.coco import CocoLayout
from cluster.output.export.huggingface import HuggingFaceLayout, ImageFolderLayout
from cluster.output.export.layout import Layout
from cluster.output.export.mvtec import MvtecLayout
from cluster.output.export.webdataset import WebDatasetLayout
from cluster.output.export.yolo_seg import YoloLayout


@dataclass(frozen=True, kw_only=True)
class Format:
    """``needs_good``: it is not whole without good pictures; ``links``: it has a file a picture,
    which may be a link."""

    layout: type[Layout]
    needs_good: bool = False
    links: bool = True


FORMATS: Mapping[str, Format] = {
    "mvtec": Format(layout=MvtecLayout, needs_good=True),
    "coco": Format(layout=CocoLayout),
    "yolo-seg": Format(layout=YoloLayout),
    "webdataset": Format(layout=WebDatasetLayout, links=False),
    "hf": Format(layout=HuggingFaceLayout, links=False),
    "imagefolder": Format(layout=ImageFolderLayout),
}
