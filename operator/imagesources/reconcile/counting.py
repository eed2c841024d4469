"""What metrics and traces learn of a pass, once it is over."""

from imagesources.reconcile.memory import Memory, Outcome
from imagesources.reconcile.model import Done, ForgetId, Rest, Step, Update, UpdateAccess, Wait
from imagesources.telemetry.metrics import DRIFT_CORRECTED, DRIFT_FOUND, RECONCILES
from imagesources.telemetry.tracing import Span


def outcome_of(step: Step, done: Done) -> Outcome:
    """Tell how a step went."""
    name = type(step).__name__
    if done.failure and not done.failure.gone:
        return Outcome(name, "failed", done.failure.problem.reason.value)
    if isinstance(step, Wait):
        return Outcome(name, "held", step.problem.reason.value)
    return Outcome(name, "ok")


def count_pass(memory: Memory, span: Span) -> None:
    """Count the newest pass, and end what its trace says of it."""
    outcome = memory.outcome
    RECONCILES.labels(outcome.step, outcome.result, outcome.reason).inc()
    told = {"step": outcome.step, "outcome": outcome.result, "reason": outcome.reason}
    span.note({f"imagesource.{name}": value for name, value in told.items() if value})
    if outcome.result in ("failed", "aborted"):
        span.fail(outcome.reason or outcome.result)


def count_drift(step: Step, done: Done, memory: Memory) -> None:
    """Count changes by other hands: found when they are first seen, corrected when they are undone."""
    kind = _drift(step)
    if kind is None:
        if isinstance(step, Rest):
            memory.drifted = False
        return
    if not memory.drifted:
        DRIFT_FOUND.labels(kind).inc()
    memory.drifted = True
    if not (done.failure or isinstance(step, Rest)):
        DRIFT_CORRECTED.labels(kind).inc()
        memory.drifted = False


def _drift(step: Step) -> str | None:
    """Tell what others changed, as far as a step is about that."""
    match step:
        case Update(drift=True):
            return "content"
        case UpdateAccess(drift=True):
            return "access"
        case ForgetId():
            return "gone"
        case Rest(drift=drift) if drift:
            return "access" if all(path.startswith("acl") for path, _, _ in drift) else "content"
    return None
