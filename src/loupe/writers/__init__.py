"""Records written in the published layouts of other data sets: the mirror of loupe.readers."""

from loupe.writers.coco import categories_of, write_coco, write_coco_captions, write_objects365
from loupe.writers.llava import write_llava
from loupe.writers.refer import write_refer
from loupe.writers.visual_genome import write_visual_genome

__all__ = ["categories_of", "write_coco", "write_coco_captions", "write_llava", "write_objects365", "write_refer",
           "write_visual_genome"]
