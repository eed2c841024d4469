"""What one process remembers of one resource: nothing that a restart must not lose."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagesources.platform.models import Job


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
        attempted: when the last POST may have been sent; at first: when this process first looked.
        absences: when the marker was looked for and not found, since then.
        marker_altered: the platform does not keep our marker, so that another create could not be recognised.
        unsaved_id: the id of a source that a POST has made and status does not have yet.
        job: the last answer about the job that deletes the source.
        job_id: that job, until it has ended or is lost.
        delete_asked: when this process asked for the source to be deleted.
        job_asked: how often it was asked for.
        ask_at: when the job, or without one the source, is to be asked for again.
        look_due: a job has ended, or a write had no answer, and the source has not been looked at since.
        job_written: when progress was last written to status.
        answered: the value of the requestedAt annotation for which the platform was asked.
        corrections: when changes by other hands were corrected.
        sent: versions of Secrets that were sent and are not in status yet.
        unconverged: writes in a row whose reply was not what was written.
        generation: the generation that ``failures``, ``unconverged`` and ``corrections`` speak of.
    """

    attempted: float
    clear: bool = False
    outcome: Outcome = Outcome()
    drifted: bool = False
    streak: int = 0
    failures: int = 0
    absences: list[float] = field(default_factory=list)
    marker_altered: bool = False
    unsaved_id: str | None = None
    job: Job | None = None
    job_id: str | None = None
    delete_asked: float = float("-inf")
    job_asked: int = 0
    ask_at: float = 0.0
    look_due: bool = False
    job_written: float = float("-inf")
    answered: str | None = None
    corrections: list[float] = field(default_factory=list)
    sent: Mapping[str, tuple[str, str]] | None = None
    unconverged: int = 0
    generation: int = -1

    def edited(self, generation: int) -> None:
        """Start afresh with a new generation: a person's edit waits for no old delay."""
        if generation != self.generation:
            self.generation, self.failures, self.unconverged = generation, 0, 0
            self.corrections.clear()

    def attempt(self, now: float) -> None:
        """A POST is about to be sent: from now on its outcome is unknown."""
        self.clear, self.attempted = False, now
        self.absences.clear()
