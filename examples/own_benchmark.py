"""Measure a predictor of your own, here one that always says the upper half, on any benchmark.

    python examples/own_benchmark.py refcoco-val demo/data
"""

import sys

import loupe


class UpperHalf:
    name = "upper-half"

    def answer(self, samples):
        for sample in samples:
            width, height = sample.images[0].size
            yield loupe.Answer((loupe.Found(loupe.Box(0, 0, width, height / 2)),))


if __name__ == "__main__":
    print(loupe.evaluate(UpperHalf(), sys.argv[1], root=sys.argv[2]))
