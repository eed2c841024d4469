"""JSON values, and the time that stands in them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TypeVar

_Value = TypeVar("_Value")


def clone(value: _Value) -> _Value:
    """Copy a JSON value, several times faster than ``copy.deepcopy``."""
    copied: _Value = json.loads(json.dumps(value))
    return copied


def wall_clock() -> datetime:
    """The date and time in the simulation: it goes with the loop's time."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=int(asyncio.get_running_loop().time()))
