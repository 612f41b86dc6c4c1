"""`loupe import`: released weights of others as a loupe checkpoint."""

from __future__ import annotations

from pathlib import Path

HELP = """read released weights of another project into a loupe checkpoint

  loupe import minigpt-v2 checkpoint.pth --vision blip2-opt-2.7b --language Llama-2-7b-chat-hf --out imported
  loupe import minigpt-v2 checkpoint.pth --vision eva_vit_g.pth --language Llama-2-7b-chat-hf --form pae --out pae0
  loupe import pink Pink-release --vision clip-vit-large-patch14 --language Llama-2-7b-chat-hf --out imported
  loupe import llava llava-1.5-7b-hf --out imported
  loupe import llava llava-v1.5-7b --vision clip-vit-large-patch14-336 --out imported
  loupe import llava llava-v1.5-7b-lora --language vicuna-7b-v1.5 --out imported

FILE holds only what was trained; --vision and --language are the releases it was trained on, as folders (for
minigpt-v2 the tower's own .pth will do). A LLaVA is taken whole, from its folder: in its own repository's layout it
names its tower (--vision gives it from elsewhere), and a LoRA needs the --language it began from. Only weights are
read, nothing in the file is run. Names that are missing, foreign or of another shape are listed and nothing is
written."""


def add_arguments(parser) -> None:
    parser.add_argument("family", metavar="FAMILY", help="minigpt-v2, pink or llava")
    parser.add_argument("file", metavar="FILE", help="the released file (pink, llava: its folder)")
    parser.add_argument("--vision", metavar="PLACE", help="the tower's release")
    parser.add_argument("--language", metavar="PLACE", help="the language model's release")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="OUT/model is the checkpoint")
    parser.add_argument("--form", metavar="NAME", help="minigpt-v2: talk as \"minigpt-v2\" (default), or as \"pae\" to "
                        "train recipe pae from it")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="of the tower's pictures, where it is not the "
                        "family's own")
    parser.add_argument("--dtype", default="bfloat16", help="of the parts while they are in memory (default: bfloat16; "
                        "what is imported is kept in float32)")


def run(args) -> None:
    from dataclasses import MISSING

    from loupe.errors import ConfigError
    from loupe.importers import importer

    kind = importer(args.family)
    known = kind.__dataclass_fields__
    options = {name: getattr(args, name) for name in ("vision", "language", "form", "size")
               if getattr(args, name) is not None}
    for name in options:
        if name not in known:
            raise ConfigError(f"{args.family} has no such choice", got=f"--{name}", do="leave it out")
    for name in ("vision", "language"):
        if name in known and known[name].default is MISSING and name not in options:
            raise ConfigError(f"{args.family} does not hold its {name} part", got=f"no --{name}",
                              do=f"give the release it was trained on as --{name}")
    done = kind(**options).write(args.file, args.out, dtype=args.dtype)
    print(f"{done.copied:,} tensors, {done.numbers:,} numbers; " + "; ".join(done.notes))
    if done.left_out:
        print(f"left out, as nothing uses them: {', '.join(done.left_out[:8])}"
              + (f" and {len(done.left_out) - 8} more" if len(done.left_out) > 8 else ""))
    print(f"model in {done.folder}; ask it: loupe chat {done.folder} PICTURE")
