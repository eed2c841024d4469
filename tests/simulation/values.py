"""JSON values, which are never changed, only replaced; and the time that stands in them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def wall_clock() -> datetime:
    """The date and time in the simulation, to the second: it goes with the loop's time."""
    return _BEGIN + timedelta(seconds=int(asyncio.get_running_loop().time()))


def timestamp() -> str:
    """The date and time as JSON has it."""
    return wall_clock().isoformat().replace("+00:00", "Z")


def merged(old: Json, patch: Json) -> Json:
    """Apply a merge patch (RFC 7396) to a copy."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            result[key] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[key] = value
    return result


class Violation(KeyboardInterrupt):
    """An invariant is broken in the midst of the operator, which must not be able to catch that."""


def must(holds: object, otherwise: str) -> None:
    """Check an invariant.

    Raises:
        Violation: it does not hold.
    """
    if not holds:
        raise Violation(otherwise)
