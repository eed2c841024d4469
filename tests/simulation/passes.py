"""What an operator does for one resource at a time: every request knows of which pass it is."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from tests.simulation.faults import Site

from imagesources.reconcile.ports import Key


@dataclass
class Pass:
    """One call of the engine for one resource.

    Attributes:
        key: the resource.
        uid: its uid at the beginning, as the operator knew it.
        generation: its generation, likewise.
        sites: the requests that it has made.
    """

    key: Key
    uid: str
    generation: int
    sites: list[Site] = field(default_factory=list)


PASS: ContextVar[Pass | None] = ContextVar("pass", default=None)
"""The pass that the running task makes."""
