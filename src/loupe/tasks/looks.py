"""How things look, in words: which attributes are sizes, textures and colours, and nouns made of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from loupe.errors import ConfigError
from loupe.record import Object

SORTS = {  # in the order in which they are said
    "size": frozenset(("small", "medium", "large", "tiny", "little", "big", "huge", "enormous", "giant", "tall",
        "short", "long", "wide", "narrow", "thick", "thin", "medium-sized")),
    "texture": frozenset(("plain", "striped", "dotted", "checked", "checkered", "spotted", "plaid", "patterned",
        "floral", "solid", "smooth", "rough", "shiny", "furry", "fluffy", "hairy", "wooden", "wood", "metal",
        "metallic", "plastic", "glass", "brick", "stone", "concrete", "leather", "paper", "cardboard", "ceramic",
        "rubber", "marble", "tiled", "wicker", "grassy", "sandy")),
    "colour": frozenset(("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white",
        "gray", "grey", "cyan", "tan", "beige", "silver", "gold", "golden", "maroon", "teal", "turquoise",
        "violet", "lavender", "navy", "magenta", "cream", "blond", "blonde")),
}
SORT_OF = {word: sort for sort, words in SORTS.items() for word in words}
# colours no two people would call one another
APART = ("red", "yellow", "green", "blue", "purple", "black", "white")


@lru_cache(maxsize=4096)
def _sorted(attributes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {sort: {} for sort in SORTS}
    for word in attributes:
        word = word.strip().lower()
        if word in SORT_OF:
            found[SORT_OF[word]][word] = None
    return {sort: tuple(words) for sort, words in found.items()}


def looks(o: Object) -> dict[str, tuple[str, ...]]:
    """Sort -> the annotated words of that sort; other attributes are left out."""
    return _sorted(o.attributes)


def look(o: Object, sort: str, unsaid: Mapping[str, str] | None = None) -> str:
    """The one annotated word of a sort, else what `unsaid` says of things without one; "" where there are several."""
    words = looks(o)[sort]
    return words[0] if len(words) == 1 else "" if words else (unsaid or {}).get(sort, "")


def described(o: Object, name: str = "") -> str:
    """Looks and name: "large striped red star"; of each sort the first word."""
    return " ".join([*(words[0] for words in looks(o).values() if words), name or o.name])


def check_unsaid(unsaid) -> dict[str, str]:
    """(("texture", "plain"), ...) as a dictionary."""
    wrong = [pair for pair in unsaid if len(pair) != 2 or pair[0] not in SORTS]
    if wrong:
        raise ConfigError("this is no sort of look with its word", got=wrong[0],
                          expected="pairs such as ('texture', 'plain')")
    return dict(unsaid)
