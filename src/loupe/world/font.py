"""A bitmap font of the world's own: capitals, five pixels wide and seven high."""

from __future__ import annotations

import numpy as np

_ROWS = """
A .###. #...# #...# ##### #...# #...# #...#
B ####. #...# #...# ####. #...# #...# ####.
C .#### #.... #.... #.... #.... #.... .####
D ####. #...# #...# #...# #...# #...# ####.
E ##### #.... #.... ####. #.... #.... #####
F ##### #.... #.... ####. #.... #.... #....
G .#### #.... #.... #..## #...# #...# .####
H #...# #...# #...# ##### #...# #...# #...#
I .###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.
J ..### ...#. ...#. ...#. ...#. #..#. .##..
K #...# #..#. #.#.. ##... #.#.. #..#. #...#
L #.... #.... #.... #.... #.... #.... #####
M #...# ##.## #.#.# #.#.# #...# #...# #...#
N #...# ##..# ##..# #.#.# #..## #..## #...#
O .###. #...# #...# #...# #...# #...# .###.
P ####. #...# #...# ####. #.... #.... #....
Q .###. #...# #...# #...# #.#.# #..#. .##.#
R ####. #...# #...# ####. #.#.. #..#. #...#
S .#### #.... #.... .###. ....# ....# ####.
T ##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..
U #...# #...# #...# #...# #...# #...# .###.
V #...# #...# #...# #...# .#.#. .#.#. ..#..
W #...# #...# #...# #.#.# #.#.# ##.## #...#
X #...# #...# .#.#. ..#.. .#.#. #...# #...#
Y #...# #...# .#.#. ..#.. ..#.. ..#.. ..#..
Z ##### ....# ...#. ..#.. .#... #.... #####
"""

HEIGHT = 7
GLYPHS = {line[0]: np.array([[c == "#" for c in row] for row in line.split()[1:]]) for line in _ROWS.split("\n")[1:-1]}

# Words short enough for a sign of a miniature picture.
WORDS = ("GO", "NO", "UP", "TEA", "BUS", "ZOO", "OFF", "WET", "ICE", "ART", "FUN", "TOP", "STOP", "EXIT", "OPEN",
         "CAFE", "TAXI", "SALE", "BANK", "PARK", "FOOD", "SLOW", "HOTEL", "PIZZA", "BOOKS", "MILK")


def width(word: str, scale: int = 1) -> int:
    """Pixels: five a letter and one between."""
    return (6 * len(word) - 1) * scale


def pixels(word: str, scale: int = 1) -> np.ndarray:
    """Boolean array [7 * scale, width]."""
    gap = np.zeros((HEIGHT, 1), bool)
    columns = []
    for letter in word:
        columns += [GLYPHS[letter], gap]
    return np.kron(np.hstack(columns[:-1]), np.ones((scale, scale), bool))
