"""Turns a TOML table into the dataclass that describes it, or into an error that says where."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from earlet.errors import RecipeError

T = TypeVar("T")


def build(kind: type[T], table: object, *, source: str, where: str) -> T:
    """Table -> an instance of the dataclass `kind`. Raises RecipeError naming `source`, `where`.

    Types are taken strictly (neither "3" nor true is a number); a list fits a tuple.
    """
    if not isinstance(table, Mapping):
        raise RecipeError(f"{source}: {where} should be a table of keys, found {table!r}.")
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    refuse_unknown(table, [f.name for f in fields], source=source, where=where)
    hints = get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields:
        if field.name in table:
            values[field.name] = _value(
                hints[field.name], table[field.name], source=source, where=where, key=field.name
            )
        elif _is_required(field):
            raise RecipeError(f"{source}: {where} lacks the key {field.name!r}. Add it.")
    try:
        return kind(**values)
    except ValueError as error:
        raise RecipeError(f"{source}: {where}: {error}.") from None


def refuse_unknown(keys: Iterable[str], known: Iterable[str], *, source: str, where: str) -> None:
    """Raises RecipeError on the first key that nothing declares."""
    known = list(known)
    for key in keys:
        if key not in known:
            raise RecipeError(
                f"{source}: {where} has no key {key!r}{nearest(key, known)} "
                f"Its keys are: {', '.join(known)}."
            )


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: `; did you mean 'epochs'?`, or a full stop."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _value(kind: Any, value: object, *, source: str, where: str, key: str) -> Any:
    """The value, if it is of the kind that the dataclass declares; else RecipeError."""
    try:
        return TypeAdapter(kind).validate_python(_tuples(value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
        raise RecipeError(
            f"{source}: {where}, key {key!r}: found {first['input']!r}{place and f' at {place}'}. "
            f"{first['msg']}."
        ) from None


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _tuples(value: object) -> object:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
