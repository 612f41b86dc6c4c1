"""Tiny folders of Flickr30k Entities, A-OKVQA and TextCaps in the published layouts: sources of Pink and PAE-LaMM."""

from pathlib import Path

from layouts import picture, write

MEN, LEFT, RIGHT, HAT = (3, 4, 12, 25), (1, 1, 20, 30), (25, 10, 40, 30), (24, 2, 30, 9)  # xmin ymin xmax ymax, from 1
SENTENCES = (
    "[/EN#1/people Two yöung guys] with [/EN#2/bodyparts shaggy hair] look at [/EN#0/notvisual each other] .",
    "[/EN#1/people Two men] are outside near [/EN#4/scene many bushes] , one in [/EN#6/clothing/other a hat] .",
    "[/EN#5/people A man 's friend] wears [/EN#6/clothing a hat] in [/EN#8/scene the yard] .",
    "[/EN#7/people A man] does n't move .",
    "[/EN#1/people Two friends] enjoy [/EN#10/other time] spent together .")


def thing(box, *things) -> str:
    names = "".join(f"\t\t<name>{each}</name>\n" for each in things)
    if isinstance(box, str):
        return f"\t<object>\n{names}\t\t<{box}>1</{box}>\n\t</object>\n"
    sides = "".join(f"\t\t\t<{side}>{value}</{side}>\n" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box))
    return f"\t<object>\n{names}\t\t<bndbox>\n{sides}\t\t</bndbox>\n\t</object>\n"


THINGS = (thing(MEN, 1, 5), thing(LEFT, 4), thing(RIGHT, 1, 7), thing(HAT, 6), thing(LEFT, 2), thing("scene", 8),
          thing("nobndbox", 10))


def entity(root: Path, key: str, sentences=SENTENCES, things=THINGS, size=(40, 30)) -> None:
    """One picture's two files."""
    (root / "Annotations").mkdir(parents=True, exist_ok=True)
    (root / "Sentences").mkdir(exist_ok=True)
    (root / f"Annotations/{key}.xml").write_text(
        f"<annotation>\n\t<filename>{key}.jpg</filename>\n\t<size>\n\t\t<width>{size[0]}</width>\n"
        f"\t\t<height>{size[1]}</height>\n\t\t<depth>3</depth>\n\t</size>\n{''.join(things)}</annotation>\n")
    (root / f"Sentences/{key}.txt").write_text("\n".join(sentences) + "\n\n", encoding="utf-8")


def flickr30k_entities(root: Path) -> Path:
    for key in ("1000092795", "36979"):
        entity(root, key)
        picture(root / f"flickr30k-images/{key}.jpg")
    (root / "val.txt").write_text("1000092795\n")
    (root / "train.txt").write_text("36979\n")
    return root


def question(key, image, text, right, direct, difficult=False, **more) -> dict:
    return {"split": "train", "image_id": image, "question_id": key, "question": text,
            "choices": ["toothpick", "food", "pöpsicle", "cigarette"], "correct_choice_idx": right,
            "direct_answers": direct, "difficult_direct_answer": difficult, "rationales": ["He is smoking."], **more}


def aokvqa(root: Path, pictures: Path | None = None) -> Path:
    """Its pictures lie in a coco folder beside it, or below `pictures`."""
    write(root / "aokvqa_v1p0_train.json", [
        question("22jbM6gDxdaMaunuzgrsBB", 9, "What is in the motorcyclist's mouth?", 3,
                 ["smoke"] * 6 + ["cigarette"] * 4),
        question("299chRPuzYxqLzPtpZmRGG", 25, "What is it?", 0, ["toothpick"] * 10),
        question("2GRzRhhZcGMnwPHcNPLpPE", 9, "Where?", 1, ["here"] * 10, difficult=True)])
    for k in (9, 25):
        picture((pictures or root.parent / "coco") / f"train2017/{k:012d}.jpg")
    return root


def textcaps(root: Path) -> Path:
    def entry(key, image, caption, *others):
        return {"image_id": image, "image_name": image, "image_path": f"train/{image}.jpg", "image_width": 1024,
                "image_height": 768, "set_name": "train", "caption_id": key, "caption_str": caption,
                "reference_strs": [caption, *others]}

    first, second = "A bottle of Pepsi on a täble.", "A bottle says pepsi."
    write(root / "TextCaps_0.1_train.json", {"dataset_type": "train", "dataset_name": "textcaps", "data": [
        entry(1, "0054c91397f2fe05", first, second), entry(2, "005635e119b9f32f", "A sign reads stop."),
        entry(3, "0054c91397f2fe05", second, first)]})
    for name in ("0054c91397f2fe05", "005635e119b9f32f"):
        picture(root / f"train_images/{name}.jpg")
    return root


def multitask(root: Path) -> Path:
    """MiniGPT-v2's: pictures of COCO by id, tags and boxes in the words."""
    talk = [("human", "<image>\n [refer] where is the cup?"), ("gpt", "<p>the cup</p> {<10><20><50><80>}"),
            ("human", "[vqa] is it full?"), ("gpt", "yes")]
    write(root / "multitask_conversation.json", [
        {"id": f"{k:012d}", "conversations": [{"from": who, "value": text} for who, text in talk]} for k in (9, 25)])
    for k in (9, 25):
        picture(root / f"images/COCO_train2014_{k:012d}.jpg")
    return root


def unnatural_instructions(root: Path) -> Path:
    write(root / "filtered_unnatural_instruction.json", [
        {"instruction": "Count.", "instances": [
            {"instruction_with_input": f"Count the letters: {'a' * k}", "input": "a" * k, "output": str(k),
             "constraints": ("None.", "Answer in digits.")[k % 2]}]} for k in range(1, 5)])
    return root


ROOTS = {
    "flickr30k-entities": (flickr30k_entities, "val", [
        "val.txt", "Annotations/1000092795.xml", "Sentences/1000092795.txt"]),
    "instructions": (unnatural_instructions, "", ["filtered_unnatural_instruction.json"]),
    "aokvqa": (lambda root: aokvqa(root / "aokvqa"), "train", ["aokvqa_v1p0_train.json"]),
    "textcaps": (textcaps, "train", ["TextCaps_0.1_train.json"])}
