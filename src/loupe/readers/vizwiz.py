"""VizWiz-VQA: questions blind people asked about their photos, each with the answers of ten people."""

from __future__ import annotations

from pathlib import Path

from loupe.readers.text_questions import Questions


class VizWiz(Questions):
    """`VizWiz(root, "val")` reads val.json: [{"image", "question", "answers": [{"answer", "answer_confidence"}],
    "answer_type", "answerable"}]; pictures in val/."""

    source = "vizwiz"
    usual_split = "val"
    licence = "CC BY 4.0"
    layout = '[{"image", "question", "answers": [{"answer", "answer_confidence"}, ...]}, ...]'
    voted = True

    def _usual_files(self) -> list[Path]:
        return [self.root / place / f"{self.split}.json" for place in ("", "annotations", "Annotations")]

    def _folders(self) -> list[Path]:
        return [self.root / place for place in (self.split, f"images/{self.split}", "images", "vizwiz_images", "")]

    @staticmethod
    def _answers(entry: dict) -> object:
        given = entry.get("answers")
        return [one.get("answer") if isinstance(one, dict) else one for one in given] if isinstance(
            given, list) else given
