"""What one process remembers of one resource: nothing that a restart must not lose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imagesources.platform.models import Job
from imagesources.resources.status import ImageSourceStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass went, for metrics and traces.

    Attributes:
        step: the name of the step that was chosen; "none": it did not come to that.
        result: ok, held (something speaks against going on), failed, conflict (the resource changed meanwhile), or
            aborted (the process stops, or a defect).
        reason: why it was held or failed.
    """

    step: str = "none"
    result: str = "aborted"
    reason: str = ""


@dataclass(slots=True)
class Memory:
    """Of one resource, by uid. Times are those of the loop's clock, in seconds.

    Attributes:
        outcome: how the newest pass went.
        drifted: whether changes by other hands were seen, and still are there.
        streak: passes that followed each other at once.
        failures: failures in a row, for the growing delay.
        clear: no POST of an unknown outcome can be around.
        attempted: until when the last POST may have been sent; at first: when this process first looked.
        inherited: an intent was found, and nothing of what came of it: a source may be there, under any identifier.
        absences: when the marker was looked for and not found, since then.
        unsaved_id: the id of a source that a POST has made and status does not have yet.
        kept: what status alone knew, for the case that it is wiped.
        job: the last answer about the job that deletes the source.
        job_id: that job, until it has ended or is lost.
        asked: when this process asked for a source to be deleted, by id, as far as the platform took it on.
        failed_jobs: jobs that were to delete the source and failed, for the growing delay.
        job_asked: how often the job, or without one the source, was asked for.
        ask_at: when the job, or without one the source, is to be asked for again.
        look_due: a job has ended, or a write had no answer, and the source has not been looked at since.
        job_written: when progress was last written to status.
        over_at: when no create can arrive any more, as it was said; by the wall clock.
        answered: the value of the requestedAt annotation for which the platform was asked.
        corrections: when changes by other hands were corrected.
        sent: versions of Secrets that were sent and are not in status yet.
        unconverged: writes in a row whose reply was not what was written.
        generation: the generation that ``failures``, ``failed_jobs``, ``unconverged`` and ``corrections`` speak of.
    """

    attempted: float
    clear: bool = False
    outcome: Outcome = Outcome()
    drifted: bool = False
    streak: int = 0
    failures: int = 0
    inherited: bool = False
    absences: list[float] = field(default_factory=list)
    unsaved_id: str | None = None
    kept: Mapping[str, Any] | None = None
    job: Job | None = None
    job_id: str | None = None
    asked: dict[str, float] = field(default_factory=dict)
    failed_jobs: int = 0
    job_asked: int = 0
    ask_at: float = 0.0
    look_due: bool = False
    job_written: float = float("-inf")
    over_at: datetime | None = None
    answered: str | None = None
    corrections: list[float] = field(default_factory=list)
    sent: Mapping[str, tuple[str, str]] | None = None
    unconverged: int = 0
    generation: int = -1

    def edited(self, generation: int) -> None:
        """Start afresh with a new generation: a person's edit waits for no old delay."""
        if generation != self.generation:
            self.generation, self.failures, self.unconverged, self.failed_jobs = generation, 0, 0, 0
            self.corrections.clear()

    def attempt(self, now: float) -> None:
        """A POST is about to be sent: from now on its outcome is unknown."""
        self.clear = False
        self.attempts_end(now)

    def attempts_end(self, now: float) -> None:
        """A POST has had no usable answer until now; only what is seen from now on tells what became of it."""
        self.attempted = now
        self.absences.clear()


def kept_of(status: ImageSourceStatus) -> Mapping[str, Any] | None:
    """Tell what a status alone knows: whose the source is, and what was made of it; None: there is none yet.

    Once the source goes by its own identifier, no marker shows it.
    """
    names = ("id", "unconfirmed_id", "hub", "adopted", "managed", "settled_generation")
    return {name: getattr(status, name) for name in names} if status.id or status.unconfirmed_id else None


def is_wiped(status: ImageSourceStatus) -> bool:
    """Tell whether a status says nothing of a source, not even where; an operator that gives one up leaves that."""
    return not (status.id or status.unconfirmed_id or status.hub)
