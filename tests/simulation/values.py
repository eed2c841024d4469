"""JSON values."""

import json
from typing import TypeVar

_Value = TypeVar("_Value")


def clone(value: _Value) -> _Value:
    """Copy a JSON value, several times faster than ``copy.deepcopy``."""
    copied: _Value = json.loads(json.dumps(value))
    return copied
