"""How long `import loupe` and the command's help take beyond Python, numpy and Pillow; and that none loads torch.

    python benchmarks/import_times.py
"""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 7
CASES = {
    "import loupe": "import loupe",
    "loupe --help": "from loupe.cli import main; main(['--help'])",
    "loupe train --help": "from loupe.cli import parser; parser('train').format_help()",
}
BASE = "import numpy, PIL.Image"


def seconds(code: str) -> float:
    """The quickest of several fresh interpreters."""
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    base = seconds(BASE)
    print(f"{'numpy and Pillow alone':<24}{base:.3f} s (interpreter included)")
    for name, code in CASES.items():
        script = f"{code}\nimport sys\nprint('torch' in sys.modules)"
        said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        loaded = said.split()[-1]
        print(f"{name:<24}{max(0.0, seconds(f'{BASE}; {code}') - base):.3f} s more; loads torch: {loaded}")


if __name__ == "__main__":
    main()
