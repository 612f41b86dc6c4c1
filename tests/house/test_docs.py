"""What the pages say exists: every command parses, every name and override is known, every link leads somewhere."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from loupe.cli import GROUPS, VERBS, parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SOURCES = sorted((ROOT / "src" / "loupe").rglob("*.py"))


def commands(text: str) -> list[list[str]]:
    """Every `loupe VERB ...` line of code blocks and docstrings, split as a shell would."""
    text = re.sub(r"\\\n\s*", " ", text)
    found = []
    for line in text.splitlines():
        for part in line.strip().removeprefix("$ ").split(" && "):
            match = re.fullmatch(r"(?:\S*-m )?loupe ([a-z]+( .*)?)", part.split("   ")[0].strip())
            if match and match.group(1).split()[0] in VERBS:
                found.append(shlex.split(match.group(1), comments=True))
    return found


def spoken(source: str) -> str:
    """The docstring and the HELP of a module."""
    tree = ast.parse(source)
    helps = [node.value.value for node in tree.body if isinstance(node, ast.Assign)
             and getattr(node.targets[0], "id", "") == "HELP"]
    return "\n".join([ast.get_docstring(tree) or "", *helps])


def said() -> list:
    out = []
    for path in PAGES + SOURCES:
        text = path.read_text("utf-8")
        for words in commands(text if path.suffix == ".md" else spoken(text)):
            out.append(pytest.param(words, id=f"{path.relative_to(ROOT)}: {' '.join(words)}"[:110]))
    return out


@pytest.mark.parametrize("words", said())
def test_every_command_parses(words, capsys):
    verb, *rest = words
    if any(word in ("...", "…") for word in rest):
        return
    try:
        args = parser(verb).parse_intermixed_args(rest)
    except SystemExit:
        pytest.fail(capsys.readouterr().err)
    if verb in ("train", "demo", "show", "build"):
        known_changes(verb, args)
    if verb == "evaluate" and args.benchmarks and not args.benchmarks.isupper():
        from loupe.evals import benchmark
        from loupe.evals.suite import names_of

        for name in names_of(args.benchmarks.split(",")):
            if not name.endswith(".json"):  # a file of the reader's
                benchmark(name)


def known_changes(verb: str, args) -> None:
    """The recipe exists and its changes apply."""
    from loupe.recipes import RECIPES, recipe

    name = args.recipe if verb in ("train", "demo") else args.what
    changes = next(getattr(args, key) for key in ("overrides", "changes", "change") if hasattr(args, key))
    if name in RECIPES and verb != "build":
        recipe(name).change(*changes)
    else:
        assert verb in ("show", "build") or name.isupper() or name.endswith(".json"), f"no recipe {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_files_named_in_pages_exist():
    for page in PAGES:
        for name in re.findall(r"`((?:src|tests|docs|benchmarks|examples)/[\w/.]+)`", page.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_every_verb_is_in_the_overview_once():
    listed = [verb for verbs in GROUPS.values() for verb in verbs]
    assert sorted(listed) == sorted(VERBS)
