"""Cases of a plan: what differs from a settled resource whose source is as wanted, and the step that follows."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.builders import MARKER, ORIGIN, doubt, observed, record, source, source_id, wanted

from imagesources.reconcile.model import Step, Wait
from imagesources.reconcile.plan import plan
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

OTHER = "ImageSource shop/other"
"""Another resource that claims the source."""

LOW, HIGH = source_id(1), "f" * 24
NEW_SECRET: Json = {"new_secrets": frozenset({"login"})}
NEW_NAME: Json = {"name": "New", "origin": ORIGIN}
"""Fields that differ from the source as it is."""

NO_ID: Json = {"id": None, "settled_generation": -1}
NO_INTENT: Json = NO_ID | {"intent": False, "finalizer": False}
EDITED: Json = {"settled_generation": 0}
"""The spec has changed since the source was last in order."""

IN_DOUBT: Json = {"clear": False, "settled_in": 0.0, "over_in": 0.0, "absences": 0}
NOTHING: Json = {"source": None}
CARRIER, SECOND = source(id=LOW, identifier=MARKER), source(id=HIGH, identifier=MARKER)
DYING = source(id=HIGH, identifier=MARKER, state="deleting")
DELETING_SOURCE = source(state="deleting")
RIVAL = source(id=HIGH)


@dataclass(frozen=True)
class Case:
    """What differs, and the step; for a Wait its reason, and whether it is permanent."""

    step: Step | tuple[Reason, bool]
    wanted: Json = field(default_factory=dict)
    record: Json = field(default_factory=dict)
    observed: Json = field(default_factory=dict)
    doubt: Json = field(default_factory=dict)

    def decided(self) -> Step:
        """Plans."""
        return plan(wanted(**self.wanted), record(**self.record), observed(**self.observed), doubt(**self.doubt))

    def waited(self) -> Wait:
        """Plans what must be a Wait."""
        step = self.decided()
        assert isinstance(step, Wait), step
        return step

    def check(self) -> None:
        """Plans, and compares."""
        if isinstance(self.step, tuple):
            problem = self.waited().problem
            assert (problem.reason, problem.permanent) == self.step
        else:
            assert self.decided() == self.step

    def misses(self, words: list[str]) -> list[str]:
        """Returns the words that the message of a Wait lacks."""
        message = self.waited().problem.message
        return [word for word in words if word not in message]
