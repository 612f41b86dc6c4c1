"""Records written in the published layouts of other data sets: the mirror of loupe.readers."""

from loupe.writers.coco import categories_of, write_coco, write_coco_captions, write_objects365
from loupe.writers.llava import write_llava
from loupe.writers.llava_boxes import write_llava_boxes
from loupe.writers.records import write_records
from loupe.writers.refer import write_refer
from loupe.writers.region_questions import write_looktwice, write_vizwiz_grounding
from loupe.writers.shards import write_shards
from loupe.writers.text_questions import write_text_questions
from loupe.writers.text_regions import write_text_regions
from loupe.writers.visual_genome import write_visual_genome
from loupe.writers.vqa import write_vqa

__all__ = ["categories_of", "write_coco", "write_coco_captions", "write_llava", "write_llava_boxes", "write_looktwice",
           "write_objects365", "write_records", "write_refer", "write_shards", "write_text_questions",
           "write_text_regions", "write_visual_genome", "write_vizwiz_grounding", "write_vqa"]
