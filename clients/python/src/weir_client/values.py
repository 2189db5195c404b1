"""Values of a program as what JSON can say: by rules that keep them, or told by field.

The rules stand in the guide "The Python client". What none of them covers is no loss of precision
and no guess, but ``Unsayable``. Decides and touches nothing.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from numbers import Integral
from pathlib import PurePath
from typing import Any
from uuid import UUID

_FIELD_CHARS_MAX = 200


class Unsayable(ValueError):
    """A value that cannot be sent, and where it is in the event; without the value itself."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(f"{field} {words}".strip())
        self.field = field
        self.words = words

    def within(self, name: str) -> Unsayable:
        """Returns the error as it is told from one level further out."""
        field = f"{name}.{self.field}" if self.field else name
        return Unsayable(field[:_FIELD_CHARS_MAX], self.words)


def plain(value: object) -> Any:
    """The value as dictionaries, lists, texts, numbers, booleans and ``None``.

    Raises ``Unsayable``, with the field from here on.
    """
    kind = type(value)
    if kind in _ITSELF:
        return value
    if kind is dict:
        return _object(value.items())  # type: ignore[attr-defined]  # a dict
    if kind is list or kind is tuple:
        return _array(value)  # type: ignore[arg-type]  # a list or a tuple
    for kinds, convert in _RULES:
        if isinstance(value, kinds):
            return convert(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object((field.name, getattr(value, field.name)) for field in _fields_of(value))
    if kind.__module__.partition(".")[0] == "numpy":
        return _numpy(value)
    raise Unsayable("", f"holds a value of {kind.__name__}, which JSON cannot say")


def plain_id(value: object) -> str:
    """Whose event it is, as text: of a text, an integer, a UUID. Raises ``Unsayable``."""
    if isinstance(value, Enum):
        return plain_id(value.value)
    if isinstance(value, (bool, float)):
        raise Unsayable("", f"must be a text, an integer or a UUID, not {type(value).__name__}")
    if isinstance(value, Integral):
        return str(int(value))
    text = plain(value)
    if not isinstance(text, str):
        raise Unsayable("", f"must be a text, an integer or a UUID, not {type(value).__name__}")
    return text


def check_texts(value: object) -> None:
    """Raises ``Unsayable`` for the first text or name within that no node keeps."""
    if isinstance(value, str):
        if "\0" in value:
            raise Unsayable("", "holds the character NUL")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unsayable("", "holds half of a surrogate pair, which is no character") from None
        return
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, item in items:
        shown = ascii(name)[1:-1] if isinstance(name, str) else str(name)
        _check_within(shown, name)
        _check_within(shown, item)


def time_text(moment: datetime) -> str:
    """With its zone; a time without one is local, as all of Python reads it."""
    if moment != moment:  # noqa: PLR0124  # how NaT of pandas is told from a time
        raise Unsayable("", "is no time (NaT)")
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()


def _check_within(name: str, value: object) -> None:
    try:
        check_texts(value)
    except Unsayable as error:
        raise error.within(name) from None


def _object(items: Iterable[tuple[object, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, item in items:
        name = key if type(key) is str else _name(key)
        if name in made:
            raise Unsayable(name, "stands there twice: two names become the same text")
        made[name] = item if type(item) in _ITSELF else _plain_within(name, item)
    return made


def _array(items: Iterable[object]) -> list[object]:
    made: list[object] = []
    for item in items:
        made.append(item if type(item) in _ITSELF else _plain_within(str(len(made)), item))
    return made


def _plain_within(name: str, value: object) -> object:
    try:
        return plain(value)
    except Unsayable as error:
        raise error.within(name) from None


def _name(key: object) -> str:
    """The text of a name, as Python's own JSON has it, and of what becomes text as a value."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    text = plain(key)
    if isinstance(text, (str, int, float)):
        return str(text)
    raise Unsayable("", f"has a name of {type(key).__name__}, which JSON cannot say")


def _finite(value: float) -> float:
    if not isfinite(value):
        raise Unsayable("", f"is {float(value)}, which JSON cannot say")
    return float(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise Unsayable("", f"is {value}, which JSON cannot say")
    return str(value)


def _seconds(value: timedelta) -> float:
    """A whole number where it is one, so that no digit of a long time is lost."""
    whole, rest = divmod(value, timedelta(seconds=1))
    return value.total_seconds() if rest else whole


def _set(value: AbstractSet[object]) -> list[object]:
    """In order where its members have one, so that equal sets become equal arrays."""
    members = _array(value)
    try:
        return sorted(members)  # type: ignore[type-var]  # it may fail
    except TypeError:
        return members


def _bytes(value: object) -> object:
    raise Unsayable("", f"holds {type(value).__name__}, which JSON cannot say: decode them first")


def _numpy(value: Any) -> object:
    """Scalars by what they hold; arrays, of any number of dimensions, as lists."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if getattr(value, "ndim", 0):
        return _array(value)
    if kind in "Mm" and value != value:  # noqa: PLR0124  # as above
        raise Unsayable("", "is no time (NaT)")
    if kind == "M":
        return str(value)
    if kind == "m":
        return int(value.astype("m8[ns]").astype("int64")) / 1e9
    item = value.item() if hasattr(value, "item") else value
    if type(item) is type(value):
        raise Unsayable("", f"holds a value of {type(value).__name__}, which JSON cannot say")
    return plain(item)


def _fields_of(value: Any) -> Iterable[dataclasses.Field[Any]]:
    return dataclasses.fields(value)


_ITSELF = {str, int, bool, type(None)}

_RULES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: plain(value.value)),
    (str, str.__str__),
    (int, int),
    (float, _finite),
    (datetime, time_text),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _seconds),
    ((UUID, PurePath), str),
    (Decimal, _decimal),
    ((bytes, bytearray, memoryview), _bytes),
    (Mapping, lambda value: _object((name, value[name]) for name in value)),
    (AbstractSet, _set),
    ((Sequence, deque, ValuesView), _array),
)
"""The first that fits: a base class, and what becomes of its values."""
