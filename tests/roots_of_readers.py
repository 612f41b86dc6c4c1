"""For every reader in READERS: a tiny folder, its split, its annotation files. A new reader joins by a line here."""

from dataclasses import replace

import instructed_layouts
import instruction_layouts
import judged_layouts
import numpy as np
import question_layouts
import text_layouts
from layouts import coco, instances, llava, picture, refer, visual_genome, write

from loupe import world
from loupe.image import Image
from loupe.writers.games import GameWriter
from loupe.writers.records import write_records


def objects365(root):
    write(root / "zhiyuan_objv2_train.json", instances(pattern="images/v1/patch1/objects365_v1_{:08d}.jpg"))
    for k in (1, 2, 3):
        picture(root / f"images/v1/patch1/objects365_v1_{k:08d}.jpg")
    return root


def refer_json(root):
    entry = {"img_id": "COCO_train2014_000000000001_4", "bbox": [2, 3, 10, 8], "height": 30, "width": 40}
    write(root / "refcoco_val.json", [entry | {"sents": t} for t in ("left cup", "the cup")])
    picture(root / "images/train2017/000000000001.jpg")
    return root


def records(root):
    made = [replace(r, source="records", split="val") for r in world.records(3, 0, "val", world="mini")]
    write_records(made, root, "val")
    return root


def games(root):
    writer = GameWriter(root, "car-racing", "train", 7)
    for k in range(3):
        writer.frame(k, Image.of(np.full((6, 8, 3), 40 * k, np.uint8)).bytes())
        writer.step(k, (0.1 * k, 0.5, 0.0), -0.1)
    writer.finish({"stack": 2, "size": [8, 6], "player": {"name": "scripted"}, "reward": -0.3})
    return root


def conversations(root):
    objects = {"ref": ["the cup"], "bbox": [[2, 3, 12, 11]]}
    lines = [{"id": k, "images": [f"{k}.jpg"], "objects": objects, "messages": [
        {"role": "user", "content": "<image>Find <ref-object>"}, {"role": "assistant", "content": "<bbox>"}]}
        for k in range(3)]
    write(root / "train.json", lines)
    for k in range(3):
        picture(root / f"images/{k}.jpg")
    return root


ROOTS = {  # name -> (make a folder, split, its annotation files)
    "coco": (coco, "val2017", ["annotations/instances_val2017.json", "annotations/captions_val2017.json"]),
    "coco-captions": (coco, "val2017", ["annotations/captions_val2017.json"]),
    "objects365": (objects365, "train", ["zhiyuan_objv2_train.json"]),
    "refer": (lambda root: refer(root / "refer"), "val", ["refcoco/refs(unc).p", "refcoco/instances.json"]),
    "refer-json": (refer_json, "val", ["refcoco_val.json"]),
    "visual-genome": (visual_genome, "", ["image_data.json", "objects.json", "relationships.json"]),
    "records": (records, "val", ["val.jsonl"]),
    "games": (games, "train", ["car-racing/train/000007.jsonl"]),
    "llava": (llava, "", ["chat.json"]), "llava-captions": (llava, "", ["chat.json"]),
    "llava-665k": (text_layouts.llava_boxes, "", ["llava_v1_5_mix665k.json"]),
    "conversations": (conversations, "", ["train.json"]),
    "ocr-vqa": (text_layouts.ocr_vqa, "train", ["dataset.json"]),
    "st-vqa": (text_layouts.st_vqa, "train", ["train_task_3.json"]),
    "docvqa": (text_layouts.docvqa, "train", ["train_v1.0_withQT.json"]),
    "textvqa": (text_layouts.textvqa, "train", ["TextVQA_0.5.1_train.json"]),
    "coco-text": (lambda root: text_layouts.coco_text(root / "coco_text"), "val", ["cocotext.v2.json"]),
    "hiertext": (text_layouts.hiertext, "train", ["gt/train.jsonl"]),
    "art": (text_layouts.art, "train", ["train_labels.json"]),
    "pointqa-looktwice": (lambda root: text_layouts.looktwice(root / "pointqa"), "test",
                          ["looktwiceqa_test_imgs.json", "looktwiceqa_dataset.json"]),
    "vizwiz-grounding": (text_layouts.vizwiz, "val", ["val_grounding.json"]),
    "pope": (judged_layouts.pope, "random", ["coco_pope_random.json"]),
    "mmbench": (judged_layouts.mmbench, "dev_en", ["MMBench_DEV_EN.tsv"]),
    "mm-vet": (judged_layouts.mm_vet, "", ["mm-vet.json"]),
    **instruction_layouts.ROOTS, **question_layouts.ROOTS, **instructed_layouts.ROOTS}
