"""`loupe serve`: a model for many callers, with a page to point and ask."""

from __future__ import annotations

import argparse

HELP = """answer questions about pictures over HTTP, with a page to point and ask

  loupe serve
  loupe serve runs/mine --port 8080
  loupe serve runs/mine --host 0.0.0.0 --key SECRET --rows 64

The page is at /, an API in OpenAI's shape below /v1, its description at /openapi.json, figures at /metrics. Only this
machine is answered unless --host says otherwise; then give a --key. Ctrl-C stops, after what is being answered."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from loupe.shipped import MINI

    parser.add_argument("model", metavar="MODEL", nargs="?", default=MINI,
                        help=f"checkpoint or run folder, transformers folder or id, or http://host/v1#model "
                        f"(default: {MINI}, which loupe carries)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="default: 8000")
    parser.add_argument("--key", metavar="KEY", help="callers must send it: Authorization: Bearer KEY "
                        "(default: the environment's LOUPE_API_KEY, or none)")
    parser.add_argument("--allow-origin", action="append", metavar="ORIGIN", help="another site whose pages may ask")
    parser.add_argument("--allow-host", action="append", metavar="NAME", help="another name this server goes by")
    parser.add_argument("--remote-images", action="store_true", help="fetch pictures from http(s) addresses")
    parser.add_argument("--rows", type=int, default=32, metavar="N",
                        help="questions answered side by side (default: 32)")
    parser.add_argument("--queue", type=int, default=128, metavar="N", help="questions that may wait (default: 128)")
    parser.add_argument("--max-tokens", type=int, default=256, metavar="N", help="longest answer (default: 256)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: what is there)")
    parser.add_argument("--dtype", help="float32, bfloat16 or float16 (default: float32)")


def run(args: argparse.Namespace) -> None:
    import os

    from loupe import predictors, serving

    serving.ready()
    serving.free(args.host, args.port)  # before a model is loaded
    options = {name: value for name, value in (("device", args.device), ("dtype", args.dtype)) if value is not None}
    model = predictors.load(args.model, **options)
    shown = f"[{args.host}]" if ":" in args.host else args.host
    print(f"{getattr(model, 'name', args.model)}: http://{shown}:{args.port} (Ctrl-C stops)", flush=True)
    serving.serve(model, args.host, args.port, key=args.key or os.environ.get("LOUPE_API_KEY") or None,
                  origins=tuple(args.allow_origin or ()), hosts=tuple(args.allow_host or ()),
                  remote=args.remote_images, rows=args.rows, queue=args.queue, answer=args.max_tokens)
