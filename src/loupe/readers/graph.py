"""One picture's scene graph while Visual Genome's files are joined: objects by id, relations, attributes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loupe.readers.base import Note, clipped_box, words
from loupe.record import Object, Relation
from loupe.regions import Box


class Graph:
    """Call add_object for all, then add_relation and add_attributes in any order."""

    def __init__(self, picture: int, width: int, height: int, note: Note):
        self.picture, self.width, self.height, self._note = picture, width, height, note
        self._objects: dict[str, Object] = {}
        self._same: dict[str, str] = {}  # further id -> id
        self._relations: dict[Relation, None] = {}

    def objects(self) -> tuple[Object, ...]:
        return tuple(self._objects.values())

    def relations(self) -> tuple[Relation, ...]:
        return tuple(self._relations)

    def box(self, entry: dict[str, Any], example: str) -> Box | None:
        """x, y and w, h or width, height, clipped; None where nothing is left (counted)."""
        values = [entry.get("x"), entry.get("y"), entry.get("w", entry.get("width")),
                  entry.get("h", entry.get("height"))]
        return clipped_box(*values, self.width, self.height, self._note,
                           f"{example} of picture {self.picture}: {values} in {self.width} x {self.height}")

    def add_object(self, entry: dict[str, Any]) -> None:
        key = key_of(entry, "object_id", "id")
        if key is None:
            self._note("object without id", f"picture {self.picture}: {str(entry)[:60]}")
            return
        merged = entry.get("merged_object_ids")
        for other in merged if isinstance(merged, list) else ():
            self._same[str(other)] = key
        box = self.box(entry, f"object {key}")
        if box is None:
            return
        if key in self._objects:
            self._note("object id given twice", f"object {key} of picture {self.picture}")
            return
        self._objects[key] = Object(key, box, names_of(entry), _lower_each(entry.get("attributes")))

    def add_relation(self, entry: dict[str, Any]) -> None:
        where = f"relation {key_of(entry, 'relationship_id', 'id')} of picture {self.picture}"
        predicate = words(entry.get("predicate")).lower()
        ends = entry.get("subject"), entry.get("object")
        if not predicate or not all(isinstance(end, dict) for end in ends):
            self._note("relation without subject, predicate or object", where)
            return
        subject, thing = (self._find(end, "relation") for end in ends)
        if subject is None or thing is None:
            self._note("relation with an object that has no box", where)
        elif subject == thing:
            self._note("relation of an object with itself", where)
        elif (relation := Relation(subject, predicate, thing)) in self._relations:
            self._note("relation given twice", where)
        else:
            self._relations[relation] = None

    def add_attributes(self, entry: dict[str, Any]) -> None:
        attributes = _lower_each(entry.get("attributes"))
        key = self._find(entry, "attribute entry") if attributes else None
        if key is not None:
            known = self._objects[key]
            self._objects[key] = replace(known, attributes=tuple(dict.fromkeys(known.attributes + attributes)))

    def _find(self, entry: dict[str, Any], role: str) -> str | None:
        """The id under which the entry's object is known; it is added from the entry if it is new."""
        key = key_of(entry, "object_id", "id")
        if key is None:
            return None
        key = self._same.get(key, key)
        if key in self._objects:
            return key
        box = self.box(entry, f"object {key}")
        if box is None:
            return None
        names = names_of(entry)
        for known in self._objects.values():
            if known.box == box and (not names or set(names) & set(known.names)):
                self._note("object known under a second id", f"{key} is {known.id} in picture {self.picture}")
                self._same[key] = known.id
                return known.id
        self._note(f"object added from a {role}" if role == "relation" else f"object added from an {role}",
                   f"object {key} of picture {self.picture}")
        self._objects[key] = Object(key, box, names)
        return key


def key_of(entry: dict[str, Any], *keys: str) -> str | None:
    """The id under its new or its old key, as text."""
    for key in keys:
        if type(entry.get(key)) is int or (isinstance(entry.get(key), str) and entry[key]):
            return str(entry[key])
    return None


def names_of(entry: dict[str, Any]) -> tuple[str, ...]:
    """`names`, `object_names` or `name`, as a list or a text, lower case, each once."""
    for key in ("names", "object_names", "name"):
        names = _lower_each(entry.get(key))
        if names:
            return names
    return ()


def _lower_each(value) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(text for text in (words(t).lower() for t in texts) if text))
