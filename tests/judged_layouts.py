"""Tiny folders of POPE, MMBench and MM-Vet as they are published."""

import base64
import json

from layouts import picture

COLUMNS = ("index", "question", "hint", "A", "B", "C", "D", "answer", "category", "l2-category", "split", "image")


def pope(root):
    rows = [(3, 1, "Is there a dog in the image?", "yes"), (1, 1, "Is there a car in the image?", "no"),
            (2, 2, "Is there a cup in the image?", "no")]
    root.mkdir(parents=True, exist_ok=True)
    (root / "coco_pope_random.json").write_text("".join(json.dumps(
        {"question_id": q, "image": f"COCO_val2014_{k:012d}.jpg", "text": text, "label": label}) + "\n"
        for q, k, text, label in rows))
    for k in (1, 2):
        picture(root / f"val2014/COCO_val2014_{k:012d}.jpg")
    return root


def pixels(root) -> str:
    made = picture(root / "given.png") or root / "given.png"
    text = base64.b64encode(made.read_bytes()).decode()
    made.unlink()
    return text


def mmbench(root, rows=None):
    """Row 3 has a hint, quotes and a line break; row 4 shows the picture of row 1; row 9 has no answer."""
    root.mkdir(parents=True, exist_ok=True)
    image = pixels(root)
    rows = rows or [
        {"index": "1", "question": "What is it?", "A": "a cup", "B": "a dog", "answer": "B", "category": "object"},
        {"index": "3", "question": "Which?", "hint": 'It says "hello\nyou".', "A": "red", "B": "blue", "C": "green",
         "answer": "A", "category": "colour"},
        {"index": "4", "question": "How many?", "A": "1", "B": "2", "C": "3", "D": "4", "answer": "D", "image": "1"},
        {"index": "9", "question": "Where?", "A": "here", "B": "there", "answer": ""}]
    quoted = lambda text: '"' + text.replace('"', '""') + '"' if set(text) & set('"\n\t') else text  # noqa: E731
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        row = {"image": image, "l2-category": f"about {row.get('category', 'things')}", **row}
        lines.append("\t".join(quoted(row.get(name, "")) for name in COLUMNS))
    (root / "MMBench_DEV_EN.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return root


def mm_vet(root):
    (root / "images").mkdir(parents=True, exist_ok=True)
    data = {"v1_0": {"imagename": "v1_0.png", "question": "What is x?", "answer": "-1<AND>-5",
                     "capability": ["ocr", "math"], "imagesource": "web"},
            "v1_1": {"imagename": "v1_0.png", "question": "Why?", "answer": "rain<OR>wet", "capability": ["know"]}}
    (root / "mm-vet.json").write_text(json.dumps(data))
    picture(root / "images/v1_0.png")
    return root
