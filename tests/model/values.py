"""Values with a number each, so that a state is a few small integers and two equal states are one."""

import json
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value", bound=Hashable)

Json = dict[str, Any]


class Table(Generic[_Value]):
    """Numbers values in the order of their first appearance."""

    def __init__(self) -> None:
        self._numbers: dict[_Value, int] = {}
        self._values: list[_Value] = []

    def number(self, value: _Value) -> int:
        """The number of a value."""
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self._values)
            self._values.append(value)
        return found

    def __getitem__(self, number: int) -> _Value:
        """The value of a number."""
        return self._values[number]

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._values)


TEXTS: Table[str] = Table()
"""JSON values, written canonically."""


def freeze(value: Any) -> int:
    """The number of a JSON value."""
    return TEXTS.number(json.dumps(value, sort_keys=True))


def thaw(number: int) -> Any:
    """A fresh copy of a JSON value."""
    return json.loads(TEXTS[number])


_PARSED: dict[int, Any] = {}


def look(number: int) -> Any:
    """A JSON value to look at, not to change."""
    if number not in _PARSED:
        _PARSED[number] = thaw(number)
    return _PARSED[number]
