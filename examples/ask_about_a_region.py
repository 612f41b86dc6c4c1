"""Ask a trained model where things are and what is in a region, and draw the answer.

    python examples/ask_about_a_region.py demo/run demo/data/coco/val2017/000000000003.jpg "the circle"
"""

import sys

import loupe


def main(folder: str, picture: str, phrase: str) -> None:
    look = loupe.load(folder).look(picture)  # the picture is encoded once
    found = look.locate(phrase)
    for each in found:
        print(f"{phrase}: {each.region.box.xyxy}, probability {each.score:.2f}")
        print("described as:", look.describe(each.region).text)
    if not found:
        print(f"the model finds no region for {phrase!r}")
    loupe.draw(look, found, "answer.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
