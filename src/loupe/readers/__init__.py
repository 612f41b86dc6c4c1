"""Annotation files -> Records. One file per dataset family; no prompts, no torch."""

from __future__ import annotations

from loupe.named import imported, named

READERS = {
    "visual-genome": "loupe.readers.visual_genome:VisualGenome",
    "coco": "loupe.readers.coco:Coco",
    "coco-captions": "loupe.readers.coco_captions:CocoCaptions",
    "objects365": "loupe.readers.objects365:Objects365",
    "refer": "loupe.readers.refer:Refer",
    "games": "loupe.readers.games:Games",
    "refer-json": "loupe.readers.refer_json:ReferJson",
    "llava": "loupe.readers.llava:Llava",
    "llava-captions": "loupe.readers.llava:LlavaCaptions",
    "llava-665k": "loupe.readers.llava_boxes:LlavaBoxes",
    "conversations": "loupe.readers.conversations:Conversations",
    "instructions": "loupe.readers.instructions:Instructions",
    "ocr-vqa": "loupe.readers.text_questions:OcrVqa",
    "st-vqa": "loupe.readers.text_questions:StVqa",
    "docvqa": "loupe.readers.text_questions:DocVqa",
    "textvqa": "loupe.readers.text_questions:TextVqa",
    "coco-text": "loupe.readers.coco_text:CocoText",
    "hiertext": "loupe.readers.text_regions:HierText",
    "art": "loupe.readers.text_regions:Art",
    "pointqa-looktwice": "loupe.readers.pointqa:LookTwice",
    "pointqa-local": "loupe.readers.pointqa:LocalQa",
    "visual7w": "loupe.readers.visual7w:Visual7W",
    "vsr": "loupe.readers.judged:Vsr",
    "hateful-memes": "loupe.readers.judged:HatefulMemes",
    "iconqa": "loupe.readers.iconqa:IconQa",
    "aokvqa": "loupe.readers.aokvqa:AOkVqa",
    "flickr30k-entities": "loupe.readers.flickr30k_entities:Flickr30kEntities",
    "textcaps": "loupe.readers.textcaps:TextCaps",
    "vizwiz": "loupe.readers.vizwiz:VizWiz",
    "karpathy": "loupe.readers.caption_splits:Karpathy",
    "nocaps": "loupe.readers.caption_splits:Nocaps",
    "vizwiz-grounding": "loupe.readers.vizwiz_grounding:VizWizGrounding",
    "pope": "loupe.readers.pope:Pope",
    "mmbench": "loupe.readers.mmbench:MMBench",
    "mm-vet": "loupe.readers.mm_vet:MMVet",
    "webdataset": "loupe.readers.shards:Shards",
    "vqa": "loupe.readers.vqa:Vqa",
    "gqa": "loupe.readers.vqa:Gqa",
    "dvqa": "loupe.readers.vqa:Dvqa",
    "chartqa": "loupe.readers.vqa:ChartQa",
    "ai-challenger": "loupe.readers.vqa:AiChallenger",
    "scienceqa": "loupe.readers.science:ScienceQa",
    "ai2d": "loupe.readers.science:Ai2d",
    "m3it": "loupe.readers.m3it:M3it",
    "mmc4": "loupe.readers.mmc4:Mmc4",
    "records": "loupe.readers.records:Records",
    "pictures": "loupe.readers.folder:Folder",
}


def reader(name: str) -> type:
    """The reader class of that name: `reader("coco")(root, split="val2017")` is a sequence of Records."""
    return named("reader", name, READERS)


def __getattr__(name: str):
    """`loupe.readers.Coco` and its neighbours, imported when asked for."""
    for target in READERS.values():
        if target.endswith(f":{name}"):
            return imported(target)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
