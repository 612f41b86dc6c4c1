"""`loupe doctor`: what this machine has, and what would go wrong."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import import_module, metadata, util
from pathlib import Path

HELP = """say what this machine has and what would go wrong

  loupe doctor
  loupe doctor --root /data

Checks Python, the packages loupe stands on, PyTorch and its devices, memory, disk and (with --root) the data sets
in a folder. Leaves with exit code 2 if something needs mending."""
NEEDED = {"torch": ("2.6", "2.14"), "transformers": ("5.17", "6"), "tokenizers": ("0.22", None),
          "safetensors": ("0.6", None), "accelerate": ("1.10", None), "peft": ("0.18", None), "numpy": ("1.26", None),
          "pillow": ("11", "14"), "tqdm": ("4.66", None)}
FOLDERS = ("coco", "visual_genome", "refer", "objects365", "llava")
MORE = ("llava_cc3m", "llava_665k", "ocr_vqa", "st_vqa", "docvqa", "textvqa", "coco_text", "hiertext", "art", "pointqa",
        "laion", "cc3m", "cc12m", "sbu", "grit", "vqav2", "okvqa", "gqa", "dvqa", "chartqa", "ai_challenger",
        "scienceqa", "ai2d", "m3it", "mmc4", "pope", "mmbench", "mm-vet", "vizwiz_grounding", "vizwiz", "vsr",
        "iconqa", "visual7w", "hateful_memes", "flickr30k", "aokvqa", "textcaps", "nocaps", "records", "regionchat",
        "games")  # told where they are there
ENDINGS = (".json", ".jsonl", ".p", ".tsv", ".tar", ".xml")


def add_arguments(parser) -> None:
    parser.add_argument("--root", type=Path, metavar="DIR", help="also look for data sets below this folder")


def run(args) -> int:
    wrong: list[str] = []
    lines = [("python", platform.python_version()), ("system", f"{platform.system()} {platform.machine()}"),
             *_packages(wrong), *_torch(wrong), *_machine(wrong)]
    if args.root is not None:
        lines += _data(args.root, wrong)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {value}")
    for line in wrong:
        print(f"loupe doctor: {line}", file=sys.stderr)
    if not wrong:
        print("all well; run next: " + ("loupe demo" if args.root is None else
                                        f"loupe check RECIPE --root {args.root}, which says what of its data is there"))
    return 2 if wrong else 0


def _packages(wrong: list[str]) -> list[tuple[str, str]]:
    out = []
    for name, (low, below) in NEEDED.items():
        try:
            have = metadata.version(name)
        except metadata.PackageNotFoundError:
            have = "missing"
            wrong.append(f"{name} is missing: got nothing, expected {low} or newer; run `pip install -e .`")
        else:
            if _key(have) < _key(low) or (below and _key(have) >= _key(below)):
                limit = f"{low} or newer" + (f", below {below}" if below else "")
                wrong.append(f"{name} has another version: got {have}, expected {limit}; "
                             f"run `pip install '{name}>={low}{',<' + below if below else ''}'`")
        out.append((name, have))
    return out


def _torch(wrong: list[str]) -> list[tuple[str, str]]:
    try:
        import torch
    except ImportError as error:
        wrong.append(f"PyTorch does not import: got {error}; see README, Choosing PyTorch")
        return []
    devices = [f"cuda: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    if util.find_spec("torchvision"):
        try:
            import_module("torchvision")
        except (ImportError, RuntimeError, OSError) as error:
            wrong.append(f"torchvision is installed but does not import, which breaks transformers: got {error}; "
                         "run `pip uninstall torchvision` (loupe does not need it)")
    return [("devices", ", ".join(devices) or "cpu only"), ("threads", str(torch.get_num_threads()))]


def _machine(wrong: list[str]) -> list[tuple[str, str]]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    if free < 1:
        wrong.append(f"disk is nearly full: got {free:.1f} GiB free, expected 1 or more, in {Path.cwd()}")
    out = [("cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())),
           ("free disk", f"{free:.1f} GiB")]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        out.append(("memory", f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"))
    return out


def _data(root: Path, wrong: list[str]) -> list[tuple[str, str]]:
    if not root.is_dir():
        wrong.append(f"folder does not exist: got {root}, expected a folder that holds {', '.join(FOLDERS)}")
        return []
    out = []
    for name in (*FOLDERS, *(name for name in MORE if (root / name).is_dir())):
        folder = root / name
        files = sum(path.suffix in ENDINGS for deep in ("*", "*/*") for path in folder.glob(deep))
        out.append((name, f"{files} annotation files, in {folder}" if folder.is_dir() else "not there"))
    return out


def _key(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = "".join(c for c in part if c.isdigit())
        numbers.append(int(digits or 0))
    return tuple((numbers + [0, 0, 0])[:3])
