"""Tiny folders of the questions and captions models are measured on, in the published layouts."""

import json
from pathlib import Path

from layouts import instances, picture, write


def lines(path: Path, *entries) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8")
    return path


def vsr(root: Path) -> Path:
    def line(image, caption, label, relation):
        name = f"{image:012d}.jpg"
        return {"image": name, "image_link": f"http://images.example/train2017/{name}", "caption": caption,
                "label": label, "relation": relation, "subj": "cat", "obj": "café", "annotator_id": 2,
                "vote_true_validator_id": "[2, 6]", "vote_false_validator_id": "[]"}

    lines(root / "zeroshot/test.jsonl", line(9, "The cat is behind the café.", 1, "behind"),
          line(25, "The cat is on the car.", 0, "on"), line(9, "The café is under the cat.", 0, "under"))
    for k in (9, 25):
        picture(root.parent / f"coco/train2017/{k:012d}.jpg")
    return root


def hateful_memes(root: Path) -> Path:
    lines(root / "dev.jsonl", {"id": 8291, "img": "img/08291.png", "label": 1, "text": "a sentence über somebody"},
          {"id": "46971", "img": "img/46971.png", "label": 0, "text": "look how many cups"})
    for name in ("08291", "46971"):
        picture(root / f"img/{name}.png")
    return root


def iconqa(root: Path) -> Path:
    def problem(kind, answer, *choices):
        return {"question": "Is the clöck early?", "choices": list(choices), "answer": answer, "ques_type": kind,
                "grade": "grade1", "label": "B.1"}

    write(root / "problems.json", {
        "7": problem("choose_txt", 1, "yes", "nö"), "12": problem("choose_txt", 0, "a", "b", "c"),
        "13": problem("choose_txt", 0, "a", "b"), "20": problem("fill_in_blank", "3")})
    write(root / "pid_splits.json", {"choose_txt_test": ["7", "12"], "choose_txt_val": ["13"],
                                     "fill_in_blank_test": ["20"]})
    for place in ("test/choose_txt/7", "test/choose_txt/12", "val/choose_txt/13", "test/fill_in_blank/20"):
        picture(root / "iconqa" / place / "image.png")
    return root


def vizwiz(root: Path) -> Path:
    def entry(k, question, *answers):
        said = [{"answer": answer, "answer_confidence": "yes"} for answer in answers]
        return {"image": f"VizWiz_val_{k:08d}.jpg", "question": question, "answers": said, "answer_type": "other",
                "answerable": 1}

    write(root / "val.json", [
        entry(0, "What is this?", *["soup"] * 4, *["unanswerable"] * 3, "tomato soup", "a soup", "Tin"),
        entry(1, "¿Qué es?", *["té"] * 10)])
    for k in (0, 1):
        picture(root / f"val/VizWiz_val_{k:08d}.jpg")
    return root


def localqa(root: Path) -> Path:
    def thing(x, y, w, h):
        return {"x": x, "y": y, "w": w, "h": h, "names": ["cup"], "attributes": ["red"], "object_id": x}

    def entry(image, question, *pairs):
        return {"id": image, "question": question, "all_ans": [answer for _, answer in pairs],
                "all_objs": [thing(*box) for box, _ in pairs],
                "points": [{"x": x + w // 2, "y": y + h // 2, "ans": answer} for (x, y, w, h), answer in pairs]}

    write(root / "localqa_dataset.json", {
        "2": [entry(2, "What color is the cup?", ((2, 3, 10, 8), "red"), ((20, 10, 8, 8), "blue"))],
        "3": [entry(3, "What shape is the sígn?", ((1, 1, 6, 6), "round"), ((9, 9, 6, 6), "square"))],
        "4": [entry(4, "What action is the dog doing?", ((1, 1, 6, 6), "sitting"), ((9, 9, 6, 6), "standing"))]})
    write(root / "localqa_testfinal_imgs.json", ["2", "3"])
    write(root / "localqa_testdev_imgs.json", ["4"])
    for k in (2, 3, 4):
        picture(root.parent / f"visual_genome/VG_100K/{k}.jpg")
    return root


def visual7w(root: Path) -> Path:
    def box(key, x, y):
        return {"box_id": key, "name": "cup", "x": x, "y": y, "width": 10, "height": 8}

    def pair(key, image, question, answer, *others):
        return {"qa_id": key, "image_id": image, "question": question, "answer": answer,
                "multiple_choices": list(others), "type": "which"}

    def image(key, split, *pairs):
        return {"image_id": key, "filename": f"v7w_{key}.jpg", "split": split, "qa_pairs": list(pairs)}

    write(root / "dataset_v7w_pointing.json", {
        "dataset": "visual7w", "boxes": [box(80, 0, 0), box(81, 20, 0), box(82, 0, 20), box(83, 28, 20)],
        "images": [image(2, "test", pair(5, 2, "Which cup is blue?", 81, 80, 82, 83),
                         pair(6, 2, "Which cup is naïve?", 80, 83, 81, 82)),
                   image(3, "test", pair(7, 3, "Which?", 82, 80, 81, 83)),
                   image(4, "val", pair(8, 4, "Which?", 80, 81))]})
    for k in (2, 3, 4):
        picture(root / f"images/v7w_{k}.jpg")
    return root


def karpathy(root: Path) -> Path:
    def image(key, split, *raw):
        return {"sentids": [5 * key], "imgid": key, "split": split, "filename": f"{key}.jpg",
                "sentences": [{"tokens": text.lower().split(), "raw": text, "imgid": key, "sentid": k}
                              for k, text in enumerate(raw)]}

    write(root / "dataset_flickr30k.json", {"dataset": "flickr30k", "images": [
        image(1007129816, "test", "A man with a hät.", "Somebody in a hat"), image(1009434119, "test", "A dog runs."),
        image(1000092795, "train", "Two men.")]})
    for key in (1007129816, 1009434119, 1000092795):
        picture(root / f"flickr30k-images/{key}.jpg")
    return root


def nocaps(root: Path) -> Path:
    data = instances(images=(0, 1), annotations=[], pattern="{:016x}.jpg")
    for image in data["images"]:
        image |= {"open_images_id": image["file_name"][:-4], "domain": "near-domain", "coco_url": ""}
    write(root / "nocaps_val_4500_captions.json", {
        "licenses": [], "info": {}, "images": data["images"], "annotations": [
            {"image_id": 0, "id": 0, "caption": "A bäby."}, {"image_id": 1, "id": 1, "caption": "A cup."},
            {"image_id": 0, "id": 2, "caption": "Somebody small."}]})
    for image in data["images"]:
        picture(root / "val" / image["file_name"])
    return root


ROOTS = {
    "vsr": (lambda root: vsr(root / "vsr"), "test", ["zeroshot/test.jsonl"]),
    "hateful-memes": (hateful_memes, "dev", ["dev.jsonl"]),
    "iconqa": (iconqa, "test", ["problems.json", "pid_splits.json"]),
    "vizwiz": (vizwiz, "val", ["val.json"]),
    "pointqa-local": (lambda root: localqa(root / "pointqa"), "testfinal",
                      ["localqa_testfinal_imgs.json", "localqa_dataset.json"]),
    "visual7w": (visual7w, "test", ["dataset_v7w_pointing.json"]),
    "karpathy": (karpathy, "test", ["dataset_flickr30k.json"]),
    "nocaps": (nocaps, "val", ["nocaps_val_4500_captions.json"])}
