"""Annotation files -> Records. One file per dataset family; no prompts, no torch."""

from __future__ import annotations

from importlib import import_module

from loupe.errors import unknown_name

READERS = {
    "visual-genome": "loupe.readers.visual_genome:VisualGenome",
    "coco": "loupe.readers.coco:Coco",
    "coco-captions": "loupe.readers.coco_captions:CocoCaptions",
    "objects365": "loupe.readers.objects365:Objects365",
    "refer": "loupe.readers.refer:Refer",
    "refer-json": "loupe.readers.refer_json:ReferJson",
    "llava": "loupe.readers.llava:Llava",
    "llava-captions": "loupe.readers.llava:LlavaCaptions",
    "records": "loupe.readers.records:Records",
}


def reader(name: str) -> type:
    """The reader class of that name: `reader("coco")(root, split="val2017")` is a sequence of Records."""
    if name not in READERS:
        raise unknown_name("reader", name, READERS)
    module, cls = READERS[name].split(":")
    return getattr(import_module(module), cls)


def __getattr__(name: str):
    """`loupe.readers.Coco` and its neighbours, imported when asked for."""
    for target in READERS.values():
        module, cls = target.split(":")
        if cls == name:
            return getattr(import_module(module), cls)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
