"""ImageSources: how many are how, which are stuck, and whether the Secrets that they name are there."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from imagesources.kube.doctor.finding import Finding, Level, listed
from imagesources.kube.doctor.hubs import remedy_of
from imagesources.kube.doctor.reader import Reader
from imagesources.reconcile.desired import desire
from imagesources.reconcile.model import Problem
from imagesources.reconcile.secrets import SecretUnusableError, fill
from imagesources.resources import FINALIZER
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.imagesource import ImageSource

_SOON = timedelta(minutes=5)
"""What is under way for longer is stuck."""
_SURE = (Reason.HUB_NOT_FOUND, Reason.CLUSTER_HUB_UNAVAILABLE, Reason.HUB_NOT_ALLOWED)
"""Nothing is under way: somebody is needed at once."""
_SHOWN = 5
"""Of one reason, so many messages are shown."""


def look_at(sources: Sequence[ImageSource]) -> Iterator[Finding]:
    """Tell how the sources are, and name those that need somebody."""
    reasons = Counter(ready.reason if (ready := _ready(source)) else "not looked at" for source in sources)
    counted = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    yield Finding(Level.OK, "sources", f"ImageSources: {len(sources)}{f' ({counted})' if counted else ''}")
    yield from _unseen(sources)
    yield from _stuck(sources)
    yield from _terminating(sources)


async def secrets_of(sources: Sequence[ImageSource], reader: Reader) -> list[Finding]:
    """Look for the Secrets that the sources name: there, labelled, with the key."""
    found: defaultdict[tuple[Reason, str], list[str]] = defaultdict(list)
    for source in sources:
        wanted = desire(source, id_of=lambda _name: None, allow_source_ids=True)
        if isinstance(wanted, Problem) or not wanted.exists:
            continue
        try:
            await fill(wanted.fields, source.metadata.namespace, reader)
        except SecretUnusableError as error:
            found[error.problem.reason, error.problem.message].append(_name(source))
    if not found:
        return [Finding(Level.OK, "secrets", "the Secrets that ImageSources name are there")]
    return [
        Finding(Level.WARN, "secrets", f"{listed(names)}: {message}", reason.remedy)
        for (reason, message), names in sorted(found.items())
    ]


def _unseen(sources: Sequence[ImageSource]) -> Iterator[Finding]:
    now = datetime.now(UTC)
    unseen = [
        _name(source)
        for source in sources
        if source.status.observed_generation < 0 and now - source.metadata.creation_timestamp > _SOON
    ]
    if unseen:
        message = f"{listed(unseen)}: no operator has looked at it"
        remedy = "see whether the operator runs, and serves this namespace and these labels"
        yield Finding(Level.FAIL, "sources", message, remedy)


def _stuck(sources: Sequence[ImageSource]) -> Iterator[Finding]:
    """Group by reason and message: one cause, such as a Hub, may hold many."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for source in sources:
        ready = _ready(source)
        if ready and ready.status == "False" and ready.reason != Reason.SUSPENDED and _for_good(source, ready):
            found[ready.reason][ready.message].append(_name(source))
    for reason, messages in sorted(found.items()):
        largest = sorted(messages.items(), key=lambda item: (-len(item[1]), item))
        for message, names in largest[:_SHOWN]:
            yield Finding(Level.WARN, "sources", f"{reason}: {listed(names)}: {message}", remedy_of(reason))
        if others := [name for _, names in largest[_SHOWN:] for name in names]:
            message = f"{reason}: {listed(others)}: for other causes, which their Ready conditions tell"
            yield Finding(Level.WARN, "sources", message, remedy_of(reason))


def _for_good(source: ImageSource, ready: Condition) -> bool:
    if ready.reason in _SURE:
        return True
    stalled = any(c.type == ConditionType.STALLED and c.status == "True" for c in source.status.conditions)
    return stalled or datetime.now(UTC) - ready.last_transition_time > _SOON


def _terminating(sources: Sequence[ImageSource]) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for source in sources:
        since = source.metadata.deletion_timestamp
        if since is None or now - since < _SOON:
            continue
        others = [name for name in source.metadata.finalizers if name != FINALIZER]
        message = f"{_name(source)}: being deleted since {since:%Y-%m-%d %H:%M} UTC"
        if others:
            yield Finding(Level.WARN, "deletion", f"{message}, held by {listed(others)}", "ask whose finalizer that is")
        else:
            remedy = "see its Ready condition; to leave the source on the platform, set spec.deletionPolicy to Orphan"
            yield Finding(Level.WARN, "deletion", message, remedy)


def _ready(source: ImageSource) -> Condition | None:
    return source.status.condition(ConditionType.READY)


def _name(source: ImageSource) -> str:
    return "/".join(source.key)
