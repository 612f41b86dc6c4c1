"""The `loupe` command: one verb a file. A mistake in the input is one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from importlib import import_module

from loupe.errors import LoupeError, unknown_name

VERBS = {
    "demo": "loupe.cli.demo",
    "doctor": "loupe.cli.doctor",
    "world": "loupe.cli.world",
    "check": "loupe.cli.check",
    "build": "loupe.cli.build",
    "show": "loupe.cli.show",
    "export": "loupe.cli.export",
    "bootstrap": "loupe.cli.bootstrap",
    "regionchat": "loupe.cli.regionchat",
    "refine": "loupe.cli.refine",
    "relevance": "loupe.cli.relevance",
    "pretrain": "loupe.cli.pretrain",
    "train": "loupe.cli.train",
    "import": "loupe.cli.importing",
    "evaluate": "loupe.cli.evaluate",
    "score": "loupe.cli.score",
    "reproduce": "loupe.cli.reproduce",
    "chat": "loupe.cli.chat",
    "serve": "loupe.cli.serve",
    "segment": "loupe.cli.segment",
    "reconstruct": "loupe.cli.reconstruct",
    "probe": "loupe.cli.probe",
    "play": "loupe.cli.play",
    "ship": "loupe.cli.ship",
}
GROUPS = {
    "start here": ("demo", "doctor"),
    "data": ("world", "check", "build", "show", "export", "bootstrap", "regionchat", "refine", "relevance"),
    "train": ("pretrain", "train", "import"),
    "measure": ("evaluate", "score", "reproduce"),
    "talk": ("chat", "serve"),
    "see": ("segment", "reconstruct", "probe", "play"),
    "maintain": ("ship",),
}
WRONG_INPUT, STOPPED = 2, 130


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are one line, like every other error here."""

    def check_options(self, argv: list[str]) -> None:
        """Leave with the nearest name of an option that does not exist, before anything else is missed."""
        for word in argv[:argv.index("--")] if "--" in argv else argv:
            option = word.partition("=")[0]
            if re.fullmatch(r"--[a-z][a-z-]*", option) and option not in self._option_string_actions:
                known = [name for name in self._option_string_actions if name.startswith("--")]
                self.error(str(unknown_name("option", option, known)))

    def error(self, message: str):
        message = message.replace(", path=value", "")  # never required
        self.exit(WRONG_INPUT, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def main(argv: list[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help", "help"):
        if argv[1:] and argv[1] in VERBS:
            return main([argv[1], "--help"])
        print(overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print("loupe", loupe_version())
        return 0
    verb = argv[0]
    if verb not in VERBS:
        print(f"loupe: {unknown_name('verb', verb, VERBS)}; see `loupe --help`", file=sys.stderr)
        return WRONG_INPUT
    verb_parser = parser(verb)
    verb_parser.check_options(argv[1:])
    args = verb_parser.parse_intermixed_args(argv[1:])  # path=value may stand behind options
    return _guarded(verb, args)


def parser(verb: str) -> Parser:
    """The argument parser of one verb."""
    module = import_module(VERBS[verb])
    made = Parser(prog=f"loupe {verb}", description=module.HELP, allow_abbrev=False,
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    module.add_arguments(made)
    return made


def overview() -> str:
    """`loupe --help`: every verb with one line, in the order of work."""
    lines = ["usage: loupe VERB ...", "",
             "Build data for, train, measure and talk to vision-language models that see fine detail.", ""]
    for group, verbs in GROUPS.items():
        lines.append(group)
        for verb in verbs:
            first = import_module(VERBS[verb]).HELP.strip().splitlines()[0].rstrip(".")
            lines.append(f"  {verb:<12}{first[0].lower()}{first[1:]}")
    lines += ["", "`loupe VERB --help` tells more. New here? `loupe demo`.",
              "Exit codes: 0 done, 2 wrong input (one line says what), 130 stopped.",
              "A long command that was stopped goes on where it was when it is run again."]
    return "\n".join(lines)


def loupe_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("loupe")
    except PackageNotFoundError:
        return "unknown (not installed)"


def _guarded(verb: str, args: argparse.Namespace) -> int:
    """Run a verb; turn wrong input, a full disk and Ctrl-C into one line and an exit code.

    LOUPE_TRACEBACK=1 shows where it happened instead.
    """
    run = import_module(VERBS[verb]).run
    if os.environ.get("LOUPE_TRACEBACK") == "1":
        return run(args) or 0
    try:
        code = run(args) or 0
        sys.stdout.flush()
        return code
    except LoupeError as error:
        return _say(verb, str(error), WRONG_INPUT)
    except KeyboardInterrupt:
        return _say(verb, "stopped; run the same command again to go on from the last finished step", STOPPED)
    except BrokenPipeError:  # `loupe show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _say(verb, _system_error(error), WRONG_INPUT)


def _system_error(error: OSError) -> str:
    name = f", in {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (f"cannot write: got a full disk, expected free space{name}; "
                "free some space and run the same command again, finished parts are kept")
    return f"cannot read or write: got {error.strerror or error}{name}; check the path and its permissions"


def _say(verb: str, line: str, code: int) -> int:
    print(f"loupe {verb}: {line}", file=sys.stderr)
    return code
