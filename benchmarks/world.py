"""How many pictures of the world, with annotation and JPEG, one core makes a second; and how many files of them.

    python benchmarks/world.py [--size 96] [--bursts 20]

Each burst is 25 pictures. Processor time, so that neighbours on the machine count little.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from loupe import world

BURST = 25


def rates(bursts: int, size: int) -> list[float]:
    """Pictures a second of every burst, by processor time."""
    out = []
    for k in range(bursts):
        begun = time.process_time()
        for _ in world.records(BURST, seed=1, start=k * BURST, size=size):
            pass
        out.append(BURST / (time.process_time() - begun))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--bursts", type=int, default=20)
    args = parser.parse_args()
    list(world.records(5, seed=0, size=args.size))
    made = rates(args.bursts, args.size)
    print(f"records with JPEG, {args.size} px, a core: best {max(made):.0f}, "
          f"median {statistics.median(made):.0f} pictures/s")
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        world.write(Path(folder) / "w", 300, seed=1, val=20, size=args.size)
        print(f"all layouts written, a core: {320 / (time.process_time() - begun):.0f} pictures/s")


if __name__ == "__main__":
    main()
