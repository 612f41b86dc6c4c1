"""A conversation at the keyboard: what was said, taken back, kept in files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from loupe.cli.typed import inside, parts_of, spelled
from loupe.errors import ConfigError, unknown_name
from loupe.sample import Answer, Found, Regions, Sample, Turn, turn

COMMANDS = {
    "/undo": "take the last question and its answer back",
    "/reset": "begin anew on the same pictures (also /new)",
    "/save": "/save FILE: .json (also a sample to train on), .html, or .png with the last answer's regions",
    "/show": "the conversation so far",
    "/help": "these lines",
    "/quit": "end (also an empty line or Ctrl-D)",
}
ENDS = ("/quit", "/exit")


class Conversation:
    """Questions and answers about one look. out: a folder in which every answer with regions is drawn."""

    def __init__(self, model, look, out: Path | None = None, draw: Path | None = None):
        self.model, self.look, self.out, self.draw = model, look, out, draw
        self.talk, self.said = look.talk(), []
        self.count = 0

    def line(self, text: str) -> list[str]:
        """What is to be printed for a typed line, which may be a command. A wrong line is a LoupeError."""
        word, _, rest = text.partition(" ")
        if not word.startswith("/"):
            return self.ask(text)
        if word == "/undo":
            return self.undo()
        if word in ("/reset", "/new"):
            self.talk, self.said = self.look.talk(), []
            return ["begun anew"]
        if word == "/save":
            return [f"kept: {self.save(Path(rest.strip()).expanduser())}"] if rest.strip() else self._nameless()
        if word == "/show":
            return [f"{mark} {line}" for parts, answer in self.said
                    for mark, line in ((">", written(parts)), (" ", answer.raw or "(nothing)"))] or ["(nothing yet)"]
        if word == "/help":
            return [f"{name:<8}{what}" for name, what in COMMANDS.items()]
        raise unknown_name("command", word, COMMANDS)

    def ask(self, text: str) -> list[str]:
        images = self.look.images
        parts = inside(parts_of(text, len(images)), [image.size for image in images])
        before = self.talk.turns
        answer = self.talk.say(*parts)
        self.said.append((turn(*parts).parts, answer))
        if self.talk.turns is before:  # nothing was said: it is not part of the talk
            self.said.pop()
        return self._told(answer)

    def _told(self, answer: Answer) -> list[str]:
        lines = [answer.raw or "(nothing)"]
        for found in answer.found:
            score = "" if found.score is None else f"  {found.score:.2f}"
            lines.append(f"  {spelled(found.region)}{score}" + (f"  {found.phrase}" if found.phrase else ""))
        lines += [f"  unreadable ({problem.kind}): {problem.text}" for problem in answer.problems]
        self.count += 1
        if self.draw is not None:
            lines.append(f"  drawn: {self._drawn(answer, self.draw)}")
        if self.out is not None and answer.found:
            lines.append(f"  drawn: {self._drawn(answer, self.out / f'{self.count:02d}.png')}")
        return lines

    def undo(self) -> list[str]:
        if not self.said:
            raise ConfigError("there is nothing to take back", got="no question yet")
        parts, _ = self.said.pop()
        self.talk.turns = self.talk.turns[:-2]
        return [f"taken back: {written(parts)}"]

    def save(self, file: Path) -> Path:
        """JSON, a page or a drawing, by the ending of the name."""
        if not self.said:
            raise ConfigError("there is nothing to keep", got="no answer yet")
        if file.suffix.lower() == ".html":
            return self.look.show(*self.said).save(file)
        if file.suffix.lower() == ".json":
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(file.name + ".part")
            part.write_text(json.dumps(self.plain(), ensure_ascii=False, indent=1) + "\n", "utf-8")
            os.replace(part, file)
            return file
        return self._drawn(self.said[-1][1], file)

    def plain(self) -> dict:
        """JSON-able: who said what, and the same as a loupe sample (`loupe.plain.from_plain` reads it)."""
        from loupe.plain import to_plain

        turns = []
        for parts, answer in self.said:
            turns += [Turn("user", tuple(parts)), Turn("assistant", _kept(answer))]
        sample = Sample(self.look.images, tuple(turns))
        told = [{"question": written(parts), "answer": answer.raw, "regions": [spelled(r) for r in answer.regions],
                 "problems": [p.kind for p in answer.problems]} for parts, answer in self.said]
        return {"model": self.model.name, "pictures": [image.name for image in self.look.images], "turns": told,
                "sample": to_plain(sample)}

    def _drawn(self, answer: Answer, file: Path) -> Path:
        from loupe.drawing import draw

        draw(self.look, answer, file)
        return file

    def _nameless(self) -> list[str]:
        raise ConfigError("no file is named", expected="/save FILE.json, FILE.html or FILE.png")


def written(parts) -> str:
    """A question as one may type it again."""
    return "".join(part if isinstance(part, str) else "".join(map(spelled, part.regions))
                   if isinstance(part, Regions) else str(part) for part in parts)


def _kept(answer: Answer) -> tuple:
    return tuple(Regions((p.region,), p.phrase) if isinstance(p, Found) else p for p in answer.parts) or (answer.raw,)


class History:
    """Typed lines kept between sessions, with the arrow keys where Python has readline."""

    def __init__(self, file: Path | None, most: int = 1000):
        self.file, self.readline = file, None
        try:
            import readline
        except ImportError:
            return
        self.readline = readline
        readline.set_history_length(most)
        if file is not None and file.is_file():
            try:
                readline.read_history_file(file)
            except OSError:
                self.file = None  # of another program, or unreadable: leave it alone

    def keep(self) -> None:
        """A folder that cannot be written costs the history only."""
        if self.file is None or self.readline is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.readline.write_history_file(self.file)
        except OSError:
            self.file = None


def history_file() -> Path:
    """Where typed lines are kept: $XDG_STATE_HOME/loupe/chat, or ~/.local/state/loupe/chat."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "loupe" / "chat"

