"""Tiny folders of questions and captions in the published layouts: Lyrics' sources."""

import base64
import io
import json
import tarfile
from pathlib import Path

from layouts import picture, write


def vqa(root: Path) -> Path:
    def asked(key, image, text):
        return {"image_id": image, "question": text, "question_id": key}

    def answered(key, image, usual, *others):
        lines = [{"answer": a, "answer_confidence": "yes", "answer_id": k + 1} for k, a in enumerate((usual, *others))]
        return {"question_type": "what", "multiple_choice_answer": usual, "answers": lines, "image_id": image,
                "answer_type": "other", "question_id": key}

    write(root / "v2_OpenEnded_mscoco_train2014_questions.json", {"info": {}, "license": {}, "questions": [
        asked(9000, 9, "What is this?"), asked(9001, 9, "¿Cuántos?"), asked(25000, 25, "Where?")]})
    write(root / "v2_mscoco_train2014_annotations.json", {"info": {}, "annotations": [
        answered(25000, 25, "café", "bar", "bar", "café"), answered(9001, 9, "2"), answered(9000, 9, "cup", "mug")]})
    for k in (9, 25):
        picture(root.parent / f"coco/train2017/{k:012d}.jpg")
    return root


def gqa(root: Path) -> Path:
    def entry(image, text, answer):
        return {"semantic": [], "question": text, "imageId": image, "answer": answer, "fullAnswer": f"It is {answer}.",
                "isBalanced": True, "groups": {"global": "thing"}}

    write(root / "train_balanced_questions.json", {
        "02930152": entry("2354786", "Is the sky dark?", "yes"), "07333408": entry("n375429", "What is it?", "façade"),
        "07333405": entry("2354786", "What colour is it?", "teal")})
    for name in ("2354786", "n375429"):
        picture(root / f"images/{name}.jpg")
    return root


def dvqa(root: Path) -> Path:
    def entry(key, image, text, answer):
        return {"question": text, "question_id": key, "template_id": "data", "answer": answer, "answer_bbox": [],
                "image": image}

    write(root / "train_qa.json", [
        entry(1, "bar_train_00000001.png", "How many bars are there?", "2"),
        entry(2, "bar_train_00000001.png", "What is the value of mél?", 7), entry(3, "bar_train_00000002.png", "Up?",
                                                                                   "no")])
    for k in (1, 2):
        picture(root / f"images/bar_train_{k:08d}.png")
    return root


def chartqa(root: Path) -> Path:
    write(root / "train/train_human.json", [
        {"imgname": "41.png", "query": "Which is larger?", "label": "Köln"},
        {"imgname": "41.png", "query": "Sum?", "label": "3.5"}, {"imgname": "7.png", "query": "Red?", "label": "Yes"}])
    for name in ("41", "7"):
        picture(root / f"train/png/{name}.png")
    return root


def ai_challenger(root: Path) -> Path:
    write(root / "caption_train_annotations_20170902.json", [
        {"url": "http://p.example/1", "image_id": "8f00.jpg", "caption": ["一个人在跑步", "两个 人"]},
        {"url": "http://p.example/2", "image_id": "9a11.jpg", "caption": ["A café."]}])
    for name in ("8f00", "9a11"):
        picture(root / f"caption_train_images_20170902/{name}.jpg")
    return root


def scienceqa(root: Path) -> Path:
    def entry(split, image, answer, *choices, hint=""):
        return {"question": "Which is it?", "choices": list(choices), "answer": answer, "hint": hint, "image": image,
                "task": "closed choice", "grade": "grade2", "subject": "natural science", "topic": "biology",
                "category": "", "skill": "", "lecture": "", "solution": "", "split": split}

    write(root / "problems.json", {
        "1": entry("train", "image.png", 1, "cup", "dög"), "2": entry("train", "image.png", 0, "a", "b", hint="Look."),
        "4": entry("val", "image.png", 0, "a", "b")})
    for key in ("1", "2"):
        picture(root / f"images/train/{key}/image.png")
    return root


def ai2d(root: Path) -> Path:
    def entry(key, answer, *choices, letters=False):
        return {"abcLabel": letters, "answerTexts": list(choices), "correctAnswer": answer, "questionId": key}

    write(root / "questions/0.png.json", {"imageName": "0.png", "questions": {
        "What is on top?": entry("0.png-0", 1, "sun", "leaf"), "Welche?": entry("0.png-1", 0, "Blüte", "root")}})
    write(root / "questions/12.png.json", {"imageName": "12.png", "questions": {
        "How many?": entry("12.png-0", 2, "1", "2", "3")}})
    write(root / "annotations/0.png.json", {"text": {
        "T0": {"id": "T0", "rectangle": [[2, 3], [20, 9]], "value": "leaf", "replacementText": "A"}}})
    for name in ("0", "12"):
        picture(root / f"images/{name}.png")
    return root


def m3it(root: Path) -> Path:
    def line(text, answer, **more):
        return {"instruction": "Answer shortly.", "inputs": text, "outputs": answer,
                "image_base64_str": [base64.b64encode(pixels()).decode()], **more}

    root.mkdir(parents=True, exist_ok=True)
    (root / "train.jsonl").write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in (
        line("What is it?", "Ein Fluß."), line("", "Teal."))), encoding="utf-8")
    return root


def mmc4(root: Path) -> Path:
    def image(name, at, score):
        return {"image_name": name, "raw_url": f"http://p.example/{name}", "matched_text_index": at,
                "matched_sim": score, "face_detections": None}

    texts = ["Tea is grown on hills.", "A  cup of\ntea.", "Ein Café."]
    root.mkdir(parents=True, exist_ok=True)
    documents = (
        {"url": "http://p.example/a", "text_list": texts, "similarity_matrix": [[0.1, 0.3, 0.1], [0.1, 0.1, 0.2]],
         "image_info": [image("b9040a0dbb22.jpg", 1, 0.31), image("0c1d.png", 2, 0.19)]},
        {"url": "http://p.example/b", "text_list": texts[:1], "image_info": [image("b9040a0dbb22.jpg", 0, 0.27)]})
    (root / "docs_no_face_shard_0_v2.jsonl").write_text(
        "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in documents), encoding="utf-8")
    for name in ("b9040a0dbb22.jpg", "0c1d.png"):
        picture(root / "images" / name)
    return root


def pixels(width: int = 40, height: int = 30, colour: str = "teal") -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def shard(path: Path, members, kind=tarfile.GNU_FORMAT) -> Path:
    """A tar file of (name, bytes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def caption(key: str, text: str, **facts) -> list[tuple[str, bytes]]:
    """The three members of a pair."""
    return [(f"{key}.jpg", pixels()), (f"{key}.txt", text.encode()),
            (f"{key}.json", json.dumps({"caption": text, "key": key, "status": "success", **facts}).encode())]


def shards(root: Path) -> Path:
    shard(root / "00000.tar", [*caption("000000000", "A  cup\n", similarity=0.31), *caption("000000001", "Ein Café")])
    shard(root / "00001.tar", caption("000010000", "A dog in a field", noun_chunks=[[0, 5, 0.25, 0.2, 0.5, 0.6, 0.9]],
                                      ref_exps=[[0, 16, 0.25, 0.2, 0.5, 0.6, 0.9]]))
    return root


ROOTS = {
    "vqa": (lambda root: vqa(root / "vqav2"), "train2014", ["v2_mscoco_train2014_annotations.json",
                                                            "v2_OpenEnded_mscoco_train2014_questions.json"]),
    "gqa": (gqa, "train_balanced", ["train_balanced_questions.json"]), "dvqa": (dvqa, "train", ["train_qa.json"]),
    "chartqa": (chartqa, "train", ["train/train_human.json"]),
    "ai-challenger": (ai_challenger, "train", ["caption_train_annotations_20170902.json"]),
    "scienceqa": (scienceqa, "train", ["problems.json"]),
    "ai2d": (ai2d, "", ["questions/0.png.json", "questions/12.png.json"]), "m3it": (m3it, "train", ["train.jsonl"]),
    "mmc4": (mmc4, "", ["docs_no_face_shard_0_v2.jsonl"])}
