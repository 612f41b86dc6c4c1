"""Tiny annotation folders in the published layouts, for the readers' tests."""

import json
import pickle
from pathlib import Path

from PIL import Image


def picture(path: Path, width: int = 40, height: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "teal").save(path)


def write(path: Path, value) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def annotation(key, image, box, kind=1, **more):
    x, y, w, h = box
    ring = [x, y, x + w, y, x + w, y + h, x, y + h]
    return {"id": key, "image_id": image, "bbox": box, "category_id": kind, "iscrowd": 0, "area": w * h,
            "segmentation": [ring], **more}


def instances(images=(1, 2, 3), annotations=None, names=("cup", "person"), pattern="{:012d}.jpg") -> dict:
    if annotations is None:
        annotations = [annotation(11, 1, [2, 3, 10, 8]), annotation(12, 2, [0, 0, 5, 5], 2),
                       annotation(13, 1, [20, 10, 10.5, 12.25], 2)]
    return {"info": {}, "licenses": [{"id": 4, "name": "Attribution License", "url": ""}],
            "images": [{"id": i, "file_name": pattern.format(i), "width": 40, "height": 30, "license": 4}
                       for i in images],
            "annotations": annotations,
            "categories": [{"id": k + 1, "name": name, "supercategory": "thing"} for k, name in enumerate(names)]}


def coco(root: Path, split: str = "val2017", **more) -> Path:
    data = instances(**more)
    write(root / f"annotations/instances_{split}.json", data)
    write(root / f"annotations/captions_{split}.json", {
        "info": {}, "licenses": [], "images": data["images"],
        "annotations": [{"id": 5, "image_id": 1, "caption": "A cup  beside\nsomebody.\n"},
                        {"id": 6, "image_id": 2, "caption": "Ein Mann im Café"}]})
    for image in data["images"]:
        picture(root / split / image["file_name"].rsplit("/", 1)[-1])
    return root


def refer(root: Path, dataset: str = "refcoco", by: str = "unc", refs=None, protocol: int = 2) -> Path:
    write(root / dataset / "instances.json", instances(pattern="COCO_train2014_{:012d}.jpg"))
    if refs is None:
        refs = [reference(0, 11, 1, "train", "left cup", "the cup"), reference(1, 13, 1, "val", "right one"),
                reference(2, 12, 2, "testA", "somebody")]
    (root / dataset / f"refs({by}).p").write_bytes(pickle.dumps(refs, protocol))
    for k in (1, 2, 3):
        picture(root.parent / f"coco/train2017/{k:012d}.jpg")
    return root


def reference(key, ann, image, split, *texts):
    return {"ref_id": key, "ann_id": ann, "image_id": image, "category_id": 1, "split": split,
            "file_name": f"COCO_train2014_{image:012d}_{ann}.jpg", "sent_ids": list(range(len(texts))),
            "sentences": [{"sent_id": 10 * key + k, "sent": t, "raw": t.upper(), "tokens": t.split()}
                          for k, t in enumerate(texts)]}


def visual_genome(root: Path) -> Path:
    write(root / "image_data.json", [
        {"image_id": k, "width": 40, "height": 30, "coco_id": None if k > 1 else 77, "flickr_id": None,
         "url": f"https://pictures.example/VG_100K_2/{k}.jpg"} for k in (1, 2)])
    write(root / "objects.json", [
        {"image_id": 2, "objects": [thing(21, "dog", 1, 1, 10, 10)]},
        {"image_id": 1, "objects": [thing(11, "Cup ", 2, 3, 10, 8), thing(12, "table", 0, 10, 40, 25)]}])
    write(root / "relationships.json", [{"image_id": 1, "relationships": [
        relation(1, "ON ", thing(11, "cup", 2, 3, 10, 8), thing(12, "table", 0, 10, 40, 25)),
        relation(2, "on", thing(11, "cup", 2, 3, 10, 8), thing(12, "table", 0, 10, 40, 25)),
        relation(3, "under", thing(12, "table", 0, 10, 40, 25), thing(13, "lamp", 5, 0, 6, 6))]}])
    for k in (1, 2):
        picture(root / f"VG_100K_2/{k}.jpg")
    return root


def thing(key, name, x, y, w, h, **more):
    return {"object_id": key, "names": [name], "synsets": [], "x": x, "y": y, "w": w, "h": h, **more}


def relation(key, predicate, subject, target):
    return {"relationship_id": key, "predicate": predicate, "synsets": [], "subject": subject, "object": target}


def llava(root: Path) -> Path:
    def entry(key, image, *texts):
        says = [{"from": ("human", "gpt")[k % 2], "value": t} for k, t in enumerate(texts)]
        return {"id": key, **({"image": image} if image else {}), "conversations": says}

    write(root / "chat.json", [
        entry("a", "00001/cup.jpg", "<image>\nWhat is this?", "A cup.\nIt is teal.", "Where?", "Here."),
        entry("b", None, "Hello", "Good day."),
        entry("c", "000000000139.jpg", "Describe it.\n<image>", "Nothing much — ça va."),
        entry("d", "00001/cup.jpg", "Again?\n<image>", "Yes.")])
    picture(root / "images/00001/cup.jpg", 20, 10)
    picture(root / "images/000000000139.jpg", 32, 24)
    return root
