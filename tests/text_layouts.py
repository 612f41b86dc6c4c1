"""Tiny annotation folders of questions and text, in the published layouts: ChatSpot's sources."""

from pathlib import Path

from layouts import picture, write


def ocr_vqa(root: Path) -> Path:
    def book(split, *pairs):
        return {"imageURL": "http://images.example/I/51ab.jpg", "questions": [q for q, _ in pairs],
                "answers": [a for _, a in pairs], "title": "Tides", "authorName": "A. Nyö", "genre": "Poetry",
                "split": split}

    write(root / "dataset.json", {
        "0140449264": book(1, ("Who wrote this book?", "A. Nyö"), ("Is this a cookbook?", "No")),
        "B00ABC": book(3, ("What is the title?", "Tides")), "1559": book(1, ("What is the genre?", "Poetry"))})
    for name in ("0140449264", "B00ABC", "1559"):
        picture(root / f"images/{name}.jpg")
    return root


def st_vqa(root: Path) -> Path:
    def entry(key, path, question, *answers):
        return {"question": question, "question_id": key, "file_path": path, "file_name": path.split("/")[-1],
                "dataset": path.split("/")[0], "answers": list(answers), "set_name": "train"}

    write(root / "train_task_3.json", {"task_name": "task 3", "data": [
        entry(7, "coco-text/COCO_train2014_000000000009.jpg", "What does the sign say?", "stop", "STOP"),
        entry(8, "coco-text/COCO_train2014_000000000009.jpg", "Which street?", "Rue Café"),
        entry(9, "visual_genome/12.jpg", "What number is on the bus?", "42")]})
    for name in ("coco-text/COCO_train2014_000000000009.jpg", "visual_genome/12.jpg"):
        picture(root / "train" / name)
    return root


def docvqa(root: Path) -> Path:
    def entry(key, image, question, *answers):
        return {"questionId": key, "question": question, "doc_id": 3, "image": f"documents/{image}",
                "question_types": ["form"], "ucsf_document_id": image[:8], "ucsf_document_page_no": "1",
                "answers": list(answers), "data_split": "train"}

    write(root / "train_v1.0_withQT.json", {
        "dataset_name": "docvqa", "dataset_version": "1.0", "dataset_split": "train", "data": [
            entry(337, "xnbl0037_1.png", "What is the date?", "1/8/93"),
            entry(338, "xnbl0037_1.png", "Who is it from?", "K. Löw", "Löw"),
            entry(339, "ffbf0227_2.png", "What is the total?", "$12")]})
    for name in ("xnbl0037_1.png", "ffbf0227_2.png"):
        picture(root / "train/documents" / name)
    return root


def textvqa(root: Path) -> Path:
    def entry(key, image, question, answers):
        return {"question": question, "image_id": image, "image_classes": ["Sign"], "image_width": 40,
                "image_height": 30, "answers": answers, "question_tokens": question.split(), "question_id": key,
                "set_name": "train", "flickr_original_url": "", "flickr_300k_url": ""}

    write(root / "TextVQA_0.5.1_train.json", {
        "data": [entry(0, "0054c91397f2fe05", "what is the brand?", ["toshiba"] + ["nokia"] * 8 + ["phone"]),
                 entry(1, "005635e119b9f32f", "what letters?", ["naïve"] * 10)],
        "dataset_name": "textvqa", "dataset_type": "train", "dataset_version": "0.5.1"})
    for name in ("0054c91397f2fe05", "005635e119b9f32f"):
        picture(root / f"train_images/{name}.jpg")
    return root


def coco_text(root: Path) -> Path:
    def word(key, image, bbox, text, legibility="legible"):
        x, y, w, h = bbox
        return {"mask": [x, y, x + w, y + 1, x + w, y + h, x, y + h], "class": "machine printed", "bbox": bbox,
                "image_id": image, "id": key, "language": "english", "area": w * h, "utf8_string": text,
                "legibility": legibility}

    anns = [word(11, 5, [2, 3, 10, 6], "EXIT"), word(12, 5, [20, 10, 10.5, 8.5], "Café"),
            word(13, 5, [1, 1, 2, 2], "", "illegible"), word(14, 6, [4, 4, 9, 5], "7up"),
            word(15, 8, [4, 4, 9, 5], "no")]
    write(root / "cocotext.v2.json", {
        "cats": {}, "anns": {str(a["id"]): a for a in anns},
        "imgs": {str(k): {"id": k, "set": "val" if k < 7 else "train", "width": 40, "height": 30,
                          "file_name": f"COCO_train2014_{k:012d}.jpg"} for k in (5, 6, 8)},
        "imgToAnns": {"5": [11, 12, 13], "6": [14], "8": [15]}, "info": {"version": "2"}})
    for k in (5, 6, 8):
        picture(root.parent / f"coco/train2014/COCO_train2014_{k:012d}.jpg")
    return root


def hiertext(root: Path) -> Path:
    def word(text, x, y, legible=True):
        return {"vertices": [[x, y], [x + 8, y], [x + 8, y + 4], [x, y + 4]], "text": text, "legible": legible,
                "handwritten": False, "vertical": False}

    def line(*words):
        return {"vertices": [[1, 1], [30, 1], [30, 6], [1, 6]], "text": " ".join(w["text"] for w in words),
                "legible": True, "handwritten": False, "vertical": False, "words": list(words)}

    def image(key, *lines):
        return {"image_id": key, "image_width": 40, "image_height": 30, "paragraphs": [
            {"vertices": [[1, 1], [30, 1], [30, 9], [1, 9]], "legible": True, "lines": list(lines)}]}

    write(root / "gt/train.jsonl", {"info": {"date": "release"}, "annotations": [
        image("aaa1", line(word("OPEN", 1, 1), word("über", 12, 1)), line(word("late", 1, 8), word("", 20, 8, False))),
        image("bbb2", line(word("no 5", 3, 3)))]})
    for name in ("aaa1", "bbb2"):
        picture(root / f"train/{name}.jpg")
    return root


def art(root: Path) -> Path:
    def word(text, *points, illegible=False):
        return {"transcription": text, "points": [list(p) for p in points], "language": "Latin",
                "illegibility": illegible}

    curve = ((2, 8), (8, 3), (20, 3), (26, 8), (24, 11), (19, 7), (9, 7), (4, 11))
    write(root / "train_labels.json", {
        "gt_0": [word("Bäckerei", *curve), word("###", (1, 1), (3, 1), (3, 3), illegible=True)],
        "gt_7": [word("BANK", (5, 5), (25, 5), (25, 12), (5, 12)), word("24h", (5, 15), (15, 15), (15, 20), (5, 20))]})
    for name in ("gt_0", "gt_7"):
        picture(root / f"train_images/{name}.jpg")
    return root


def looktwice(root: Path) -> Path:
    def entry(image, x, y, w, h, answer):
        return {"id": image, "obj_type": "bird", "obj_question": "How many of these birds are there?",
                "super_question": "How many of these animals?", "general_question": "How many of these?",
                "point": {"x": x + 1, "y": y + 1}, "bbox": {"x": x, "y": y, "w": w, "h": h}, "ans": answer}

    write(root / "looktwiceqa_dataset.json", {
        "2": [entry(2, 2, 3, 10, 8, 2), entry(2, 20, 10, 9, 9, "two")], "3": [entry(3, 1, 1, 5, 5, 1)],
        "4": [entry(4, 1, 1, 5, 5, "1")]})
    write(root / "looktwiceqa_train_imgs.json", ["4"])
    write(root / "looktwiceqa_test_imgs.json", ["2", "3"])
    for k in (2, 3, 4):
        picture(root.parent / f"visual_genome/VG_100K/{k}.jpg")
    return root


def vizwiz(root: Path) -> Path:
    def entry(question, answers, *corners):
        return {"question": question, "answers": answers, "most_common_answer": max(set(answers), key=answers.count),
                "height": 30, "width": 40, "answer_grounding": [{"x": x, "y": y} for x, y in corners]}

    write(root / "val_grounding.json", {
        "VizWiz_val_00000001.jpg": entry("What is this?", ["tin", "soup", "soup"], (3, 3), (20, 3), (20, 20), (3, 20)),
        "VizWiz_val_00000002.jpg": entry("¿Qué es?", ["te", "te", "té"], (5, 5), (30, 6), (15, 25))})
    for k in (1, 2):
        picture(root / f"val/VizWiz_val_{k:08d}.jpg")
    return root


def llava_boxes(root: Path) -> Path:
    def entry(key, image, *texts):
        says = [{"from": ("human", "gpt")[k % 2], "value": t} for k, t in enumerate(texts)]
        return {"id": key, **({"image": image} if image else {}), "conversations": says}

    write(root / "llava_v1_5_mix665k.json", [
        entry("000000000139", "coco/train2017/000000000139.jpg", "<image>\nWhere is the cup [1]?",
              "[0.25, 0.25, 0.5, 0.75]", "And here: [0.25, 0.25, 0.5, 0.75], [0.5, 0.5, 0.75, 0.625]?", "Café."),
        entry("1", "vg/VG_100K/1.jpg", "<image>\nWhat is it?", "A tree."), entry("t", None, "Hello", "Good day.")])
    picture(root / "coco/train2017/000000000139.jpg")
    picture(root / "vg/VG_100K/1.jpg")
    return root
