"""Frozen dataclasses as settings: to and from JSON, changed by `path=value`, compared path by path.

A path walks through dataclass fields, dictionary keys, and tuples by index or by the `name` of an element
(`stages.tune.optim.lr`); in a tuple of (name, number) pairs the name stands for its number
(`sources.coco.tasks.counting`). Where a field may hold one of several dataclasses, JSON carries the class under "is".
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Iterator
from difflib import get_close_matches

from loupe.errors import ConfigError, unknown_name

NOTHING = ("none", "null")
TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def to_json(value, declared=None):
    """Plain dictionaries, lists, strings and numbers; `declared` is the type hint the value stands under."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        out = {f.name: to_json(getattr(value, f.name), hints[f.name]) for f in dataclasses.fields(value)}
        return {"is": type(value).__name__, **out} if len(_classes(declared)) > 1 else out
    if isinstance(value, dict):
        inner = _value_hint(declared)
        return {str(key): to_json(item, inner) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item, _item_hint(declared, k)) for k, item in enumerate(value)]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ConfigError("a setting cannot be written as JSON", got=f"{value!r} ({type(value).__name__})")


def from_json(cls, data, where: str = ""):
    """The value `to_json` wrote. Fields that are absent take their defaults; unknown ones are a ConfigError."""
    options = _options(cls := _meant(cls, isinstance(data, (list, tuple))))
    if data is None:
        if {type(None), object, typing.Any} & set(options) or cls is None:
            return None
        raise ConfigError("a setting is empty", got="null", expected=_say(cls), where=where or None)
    classes = _classes(cls)
    if classes:
        return _dataclass_from_json(classes, data, where)
    bare, arguments = _bare(cls), typing.get_args(_single(cls))
    if (bare is tuple and not isinstance(data, (list, tuple))) or (bare is dict and not isinstance(data, dict)):
        raise ConfigError("a setting has the wrong type", got=repr(data), expected=_shape(bare, arguments),
                          where=where or None)
    if bare is tuple or (isinstance(data, (list, tuple)) and bare is not dict):
        return tuple(from_json(_item_hint(cls, k), item, f"{where}.{k}".lstrip(".")) for k, item in enumerate(data))
    if bare is dict and arguments:
        return {key: from_json(arguments[1], item, f"{where}.{key}".lstrip(".")) for key, item in data.items()}
    return _plain(cls, data, where)


def change(value, override: str):
    """A copy of `value` with one `path=text` applied, the text read by the field's type."""
    path, equals, text = override.partition("=")
    path = path.strip()
    if not equals or not path:
        raise ConfigError("an override is not of the form path=value", got=repr(override),
                          do="write for example stages.tune.optim.lr=2e-4")
    return _set(value, None, path.split("."), text.strip(), ())


def differences(old, new) -> tuple[str, ...]:
    """Paths at which two values differ, each as `path (old -> new)`."""
    before, after = dict(_flat(to_json(old))), dict(_flat(to_json(new)))
    paths = [*before, *(p for p in after if p not in before)]
    say = lambda facts, p: json.dumps(facts[p]) if p in facts else "absent"  # noqa: E731
    return tuple(f"{p} ({say(before, p)} -> {say(after, p)})" for p in paths
                 if p not in before or p not in after or before[p] != after[p])


def overrides(old, new) -> tuple[str, ...]:
    """The changes `path=text` that make `new` out of `old`; ConfigError where none do."""
    before, after = dict(_flat(to_json(old))), dict(_flat(to_json(new)))
    said = tuple(f"{path}={_spoken(value)}" for path, value in after.items()
                 if path not in before or before[path] != value)
    made = old
    try:
        for text in said:
            made = change(made, text)
    except ConfigError:
        made = None
    if made is None or differences(made, new):  # as JSON: lists in a dictionary of options may be tuples
        raise ConfigError("no path=value changes make one setting out of the other",
                          got="; ".join(differences(old, new)[:4]), do="write the new one as a value of its own")
    return said


def settings(value, declared=None, path: str = "") -> Iterator[str]:
    """Every setting as `path=text`; `change` takes each line and gives the same value again."""
    leaf = f"{path}={_spoken(to_json(value, declared))}"
    if dataclasses.is_dataclass(value):
        if len(_classes(declared)) > 1:  # one of several kinds is chosen as a whole
            inner = (settings(getattr(value, name), hint, name) for name, hint in _hints(type(value)).items())
            called = f"{path}={type(value).__name__}({', '.join(text for some in inner for text in some)})"
            yield called if _reads(called, path, value, declared) else leaf
            return
        for name, hint in _hints(type(value)).items():
            yield from settings(getattr(value, name), hint, f"{path}.{name}".lstrip("."))
    elif isinstance(value, dict) and value and not any("." in key or "=" in key for key in value):
        for key, item in value.items():
            yield from settings(item, _value_hint(declared), f"{path}.{key}")
    elif isinstance(value, tuple) and value and all(map(_has_name, value)):
        for k, item in enumerate(value):
            hint = _item_hint(declared, k)
            if _is_pair(item):
                yield f"{path}.{item[0]}={_spoken(item[1])}"
            else:
                yield from settings(item, hint, f"{path}.{item.name}")
    else:
        yield leaf


def _has_name(item) -> bool:
    """A path knows this element of a tuple by its name."""
    name = item[0] if _is_pair(item) and isinstance(item[1], (int, float)) else getattr(item, "name", None)
    return isinstance(name, str) and bool(name) and not set(".=") & set(name)


def _reads(text: str, path: str, value, declared) -> bool:
    try:
        return parse(text.removeprefix(f"{path}="), declared, path) == value
    except ConfigError:
        return False


def _spoken(value) -> str:
    if value is None:
        return NOTHING[0]
    return value if isinstance(value, str) and value else json.dumps(value)


def _flat(data, path=""):
    if isinstance(data, dict) and data:
        for key, item in data.items():
            yield from _flat(item, f"{path}.{key}".lstrip("."))
    elif isinstance(data, list) and data:
        for k, item in enumerate(data):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _flat(item, f"{path}.{name or k}".lstrip("."))
    else:
        yield path, data


def _set(value, declared, path: list[str], text: str, done: tuple[str, ...]):
    """`value` with `text` parsed and put at `path`; `done` are the steps walked so far."""
    where = ".".join(done) or None
    if not path:
        return parse(text, declared, where)
    step, rest = path[0], path[1:]
    if dataclasses.is_dataclass(value):
        hints = _hints(type(value))
        if step not in hints:
            raise _no_such("setting", step, hints, where)
        new = _set(getattr(value, step), hints[step], rest, text, (*done, step))
        return dataclasses.replace(value, **{step: new})
    if isinstance(value, dict):
        return _set_in_dict(value, declared, step, rest, text, done)
    if isinstance(value, tuple):
        return _set_in_tuple(value, declared, step, rest, text, done)
    holds = f"; it may hold {_say(declared)}" if _classes(declared) else ""
    raise ConfigError("a path goes deeper than its setting", got=".".join((*done, *path)),
                      where=where, do=f"{where} holds {value!r}{holds}, set it as a whole")


def _set_in_dict(value: dict, declared, step, rest, text, done):
    near = get_close_matches(step, [k for k in value if k != step], n=1, cutoff=0.85)
    if step not in value and (rest or near or _value_hint(declared) is not None):
        raise _no_such("key", step, value, ".".join(done))
    hint = _value_hint(declared)
    if hint is None and not rest:  # a free dictionary: keep the kind of the value that is there
        old = value.get(step)
        hint = type(old) if type(old) in (int, float, bool, str) else None
        hint = float | int if hint is int else hint
    return {**value, step: _set(value.get(step), hint, rest, text, (*done, step))}


def _set_in_tuple(value: tuple, declared, step, rest, text, done):
    names = [getattr(item, "name", item[0] if _is_pair(item) else None) for item in value]
    if step in names:
        k = names.index(step)
    elif step.isdigit() and int(step) < len(value):
        k = int(step)
    else:
        raise _no_such("element", step, [n if isinstance(n, str) else str(i) for i, n in enumerate(names)],
                       ".".join(done))
    item, hint = value[k], _item_hint(declared, k)
    if _is_pair(item) and not rest and step in names:
        new = (item[0], _set(item[1], _item_hint(hint, 1), [], text, (*done, step)))
    else:
        new = _set(item, hint, rest, text, (*done, step))
    return (*value[:k], new, *value[k + 1:])


def _is_pair(item) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)


def parse(text: str, declared, where: str | None = None):
    """A text read as the declared type: numbers, true/false, none, a,b,c or JSON lists, Name(field=value, ...)."""
    declared = _meant(declared, text[:1] in "[(" or "," in text)
    options = _options(declared)
    if type(None) in options and text.lower() in NOTHING:
        return None
    classes = _classes(declared)
    if classes:
        return _parse_dataclass(text, classes, where)
    if declared is None or _bare(declared) in (dict, object, typing.Any):
        return _json_or_text(text, declared, where)
    if _bare(declared) is tuple:
        return _parse_tuple(text, declared, where)
    return _plain(declared, text, where, spoken=True)


def _parse_tuple(text: str, declared, where):
    if text[:1] == "[":
        data = _json(text, where)
    else:
        body = text.removeprefix("(").removesuffix(")")
        data = [parse(piece.strip(), _item_hint(declared, k), where)
                for k, piece in enumerate(body.split(",")) if piece.strip()]
    return from_json(declared, data, where or "")


def _parse_dataclass(text: str, classes: dict, where):
    if text[:1] == "{":
        return _dataclass_from_json(classes, _json(text, where), where)
    if not (match := re.fullmatch(r"(\w+)(?:\((.*)\))?", text, re.S)):
        raise ConfigError("a setting cannot be read", got=repr(text), where=where,
                          do=f"write {' or '.join(classes)}, with fields as in {next(iter(classes))}(field=value)")
    if match[1] not in classes:
        raise unknown_name("kind of setting", match[1], classes, where)
    value_class, pieces = classes[match[1]], re.split(r",(?![^\[(]*[\])])", match[2] or "")
    hints, given = _hints(value_class), {}
    for piece in filter(str.strip, pieces):
        name, equals, inner = (p.strip() for p in piece.partition("="))
        if not equals or name not in hints:
            raise _no_such("setting", name, hints, f"{where} {match[1]}(...)")
        given[name] = parse(inner, hints[name], f"{where}.{name}")
    return _make(value_class, given, where)


def _dataclass_from_json(classes: dict, data, where):
    if any(isinstance(data, c) for c in classes.values()):
        return data
    if not isinstance(data, dict):
        raise ConfigError("a setting is no object", got=repr(data)[:80], expected=" or ".join(classes),
                          where=where or None)
    name = data.get("is", next(iter(classes)) if len(classes) == 1 else None)
    if name not in classes:
        raise unknown_name("kind of setting", str(name), classes, where or None)
    hints, given = _hints(classes[name]), {}
    for key, item in data.items():
        if key == "is":
            continue
        if key not in hints:
            raise _no_such("setting", key, hints, where or name)
        given[key] = from_json(hints[key], item, f"{where}.{key}".lstrip("."))
    return _make(classes[name], given, where)


def _make(value_class, given: dict, where):
    needed = [f.name for f in dataclasses.fields(value_class)
              if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in given]
    if missing:
        raise ConfigError(f"{value_class.__name__} lacks settings", expected=", ".join(missing), where=where or None)
    return value_class(**given)


def _plain(declared, data, where, spoken: bool = False):
    """A str, int, float or bool; from a text someone typed if `spoken`."""
    kinds = [k for k in _options(declared) if k is not type(None)]
    if not kinds or kinds[0] in (object, typing.Any) or _bare(declared) is dict:
        return _free(data)
    for kind in sorted(kinds, key=lambda k: [bool, int, float, str].index(k) if k in (bool, int, float, str) else 9):
        if typing.get_origin(kind) is typing.Literal:
            if data in typing.get_args(kind):
                return data
        elif kind is bool and (isinstance(data, bool) or (spoken and data.lower() in TRUTH)):
            return TRUTH[data.lower()] if spoken else data
        elif kind in (int, float) and not isinstance(data, bool):
            number = _number(data, kind, spoken)
            if number is not None:
                return number
        elif kind is str and isinstance(data, str):
            return data.strip("'\"") if spoken and data[:1] in "'\"" else data
    raise ConfigError("a setting has the wrong type", got=repr(data), expected=_say(declared), where=where or None)


def _free(data):
    """JSON without a declared type: sequences are tuples, here as everywhere."""
    if isinstance(data, dict):
        return {key: _free(item) for key, item in data.items()}
    return tuple(map(_free, data)) if isinstance(data, (list, tuple)) else data


def _number(data, kind, spoken: bool):
    if not spoken:
        fits = isinstance(data, int) or (isinstance(data, float) and (kind is float or data.is_integer()))
        return kind(data) if fits else None
    try:
        number = float(data.replace("_", ""))
    except ValueError:
        return None
    return kind(number) if kind is float or number.is_integer() else None


def _json_or_text(text: str, declared, where):
    if _bare(declared) is dict:
        return from_json(declared, _json(text, where), where or "")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json(text: str, where):
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError("a setting is no valid JSON", got=repr(text), where=where, do=str(error)) from error


def _no_such(kind: str, name: str, known, where) -> ConfigError:
    error = unknown_name(kind, name, known, where)
    listing = f"known there: {', '.join(map(str, known)) or 'nothing'}"
    return ConfigError(error.what, got=error.got, where=error.where,
                       do=f"{error.do} ({listing})" if "did you mean" in (error.do or "") else listing)


@functools.cache
def _hints(cls) -> dict:
    return typing.get_type_hints(cls)


def _options(declared) -> tuple:
    """The members of a union, or the one type itself."""
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        return typing.get_args(declared)
    return (declared,) if declared is not None else ()


def _meant(declared, several: bool):
    """Of a union of one value and of several (int | tuple[int, ...]) what was written; any other declaration as is."""
    many = [option for option in _options(declared) if typing.get_origin(option) is tuple]
    one = tuple(option for option in _options(declared) if option not in many)
    if many and set(one) - {type(None)}:
        return many[0] if several else typing.Union[one]  # noqa: UP007
    return declared


def _classes(declared) -> dict:
    return {option.__name__: option for option in _options(declared) if dataclasses.is_dataclass(option)}


def _single(declared):
    left = [option for option in _options(declared) if option is not type(None)]
    return left[0] if len(left) == 1 else declared


def _bare(declared):
    single = _single(declared)
    return typing.get_origin(single) or single


def _item_hint(declared, index: int):
    arguments = typing.get_args(_single(declared)) if _bare(declared) in (tuple, list) else ()
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return arguments[index] if index < len(arguments) else None


def _value_hint(declared):
    arguments = typing.get_args(_single(declared)) if _bare(declared) is dict else ()
    return arguments[1] if len(arguments) == 2 and arguments[1] not in (object, typing.Any) else None


def _shape(bare, arguments) -> str:
    """How a list or an object looks in JSON."""
    if bare is dict:
        return "{name: value, ...}"
    inner = [_shape(_bare(a), typing.get_args(_single(a))) if _bare(a) in (tuple, dict) else _say(a)
             for a in arguments if a is not Ellipsis]
    return f"[{', '.join(inner)}{', ...' if Ellipsis in arguments else ''}]"


def _say(declared) -> str:
    return " or ".join("none" if option is type(None) else getattr(option, "__name__", str(option))
                       for option in _options(declared)) or "any JSON"
