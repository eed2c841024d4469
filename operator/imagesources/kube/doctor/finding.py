"""What the doctor found, one statement at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

_NAMED = 5


class Level(StrEnum):
    """How bad it is: fine; something waits for somebody; the operator cannot do its work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement.

    Attributes:
        level: how bad it is.
        check: what was looked at, in one word.
        message: what is the case; never a Secret's value.
        remedy: what to do, where there is something to do.
    """

    level: Level
    check: str
    message: str
    remedy: str = ""


def listed(names: Iterable[str]) -> str:
    """Write the first few of many names."""
    every: Sequence[str] = sorted(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
