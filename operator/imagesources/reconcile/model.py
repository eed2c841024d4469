"""The values that the stages of a reconcile hand on: all frozen, none of them holds a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagesources.hubs.trouble import Trouble
from imagesources.platform.models import Acl, AclEntry, JobDescriptor, Source
from imagesources.resources.conditions import Reason
from imagesources.resources.imagesource import Acl as SpecAcl
from imagesources.resources.status import Pin

Json = dict[str, Any]

Difference = tuple[str, Any, Any]
"""Path in the API's form, wanted, observed."""


@dataclass(frozen=True, slots=True)
class FromSecret:
    """Stands in a body for a credential; the value is put in when the body is sent, and nowhere else.

    ``wanted`` says what is meant by the field (``username``, ``token`` …), for Secrets that hold both in one key.
    ``path`` is the field in spec, for messages.
    """

    name: str
    key: str
    wanted: str
    path: str


def acl_of(spec: SpecAcl) -> Acl | None:
    """Read an access list as a person writes it; None is the platform's null."""
    if spec.unrestricted:
        return None
    return Acl(roles={role: AclEntry(**entry.model_dump()) for role, entry in (spec.roles or {}).items()})


@dataclass(frozen=True, slots=True)
class Access:
    """An access list as it is wished for; ``acl`` None is the platform's null: no restriction."""

    acl: Acl | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a resource asks for.

    Attributes:
        uid: the resource's.
        generation: the spec's; every edit raises it.
        marker: the identifier under which a source of this resource is created, by which it is known again.
        exists: False while the resource is being deleted.
        type: the source's type; None where only observed.
        fields: the managed top-level properties of a PATCH, in the API's form; credentials are ``FromSecret``.
        defaults: what a POST says beside them.
        cleared: bodies for fields that were managed and no longer are, where the API can clear them.
        identifier: the identifier that the source gets after its marker.
        access: the wished access list; None: not managed.
        secrets: names of the Secrets that ``fields`` refers to.
        observe_only: nothing is ever written to the platform.
        correct_drift: what others change is undone; else it is reported.
        suspended: nothing is written for now.
        orphan: the source stays when the resource goes.
        adopt_id: the id of the source to take over, or to observe.
        adopt_identifier: the identifier by which it is found instead.
        never_adopt: another source is created, although one like it exists.
    """

    uid: str
    generation: int
    marker: str
    exists: bool
    type: str | None
    fields: Mapping[str, Any]
    defaults: Mapping[str, Any]
    cleared: Mapping[str, Any]
    identifier: str
    access: Access | None
    secrets: frozenset[str]
    observe_only: bool
    correct_drift: bool
    suspended: bool
    orphan: bool
    adopt_id: str | None
    adopt_identifier: str | None
    never_adopt: bool


_WITHOUT_HUB = {Reason.HUB_NOT_FOUND, Reason.HUB_NOT_ALLOWED, Reason.CLUSTER_HUB_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a resource cannot be worked on; ``message`` says what to do.

    Attributes:
        permanent: only a change of the resource helps (kstatus: Stalled).
        of_hub: the whole hub is in trouble; the Hub tells of it, and when it is over, for all its sources.
    """

    reason: Reason
    message: str
    permanent: bool = False
    of_hub: bool = False


def problem_of(trouble: Trouble) -> Problem:
    """Tell what a hub's trouble means for a source; what there is no Hub for concerns the source alone."""
    return Problem(
        trouble.reason,
        trouble.message,
        permanent=trouble.reason is Reason.CLUSTER_HUB_UNAVAILABLE,
        of_hub=trouble.reason not in _WITHOUT_HUB,
    )


@dataclass(frozen=True, slots=True)
class Record:
    """What the resource itself remembers: its metadata and status, as far as they decide something."""

    id: str | None
    pin: Pin | None
    intent: bool
    """The finalizer and the pin of this very resource are written: a POST may have been sent."""
    finalizer: bool
    settled_generation: int
    """The generation that was last observed equal; -1 if none."""
    adopted: bool
    saved: bool = True
    """Whether status has the id; a POST's answer is in memory alone until then."""
    unconfirmed: str | None = None
    """Id of a source that a create may have made without the marker: nothing more is created."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What this process knows of creates whose outcome it does not know.

    Times are seconds until then, at the time of the look; 0 or less: now.
    """

    clear: bool
    """No POST can be under way: this process wrote the intent itself and has not sent one since."""
    settled_in: float
    """When the last attempt has had its time to show."""
    over_in: float
    """When no attempt can arrive any more."""
    absences: int
    """Looks for the marker that found nothing, since the last attempt settled (when deleting: since it was over)."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of the platform at the time of a look.

    Attributes:
        source: the source with our id, if it is known.
        direct: the platform spoke of this very source since the last list.
        gone: the platform said 404.image.source for our id, or that it is deleted.
        carriers: live sources that carry our marker.
        dying: sources that carry it and are being deleted.
        adoptable: live sources that the resource asks to adopt; None: not known yet.
        rivals: live sources that nobody claims, like the one that would be created.
        claimant: another resource that claims the source in question.
        job_id: the job that is deleting the source, until it has ended or is lost.
        job_next_in: seconds until it, or where there is none the source, should be asked for again.
        look_due: a job has ended: whether the source is gone is to be looked at.
        job_failed: the last job ended without deleting the source: it is to be asked for again.
        new_secrets: names of the Secrets in use that have another version than the one that was sent.
        secrets_unknown: a Secret in use is not there as far as known.
        unconverged: writes in a row whose reply was not what was written.
        asked: sources that this process has asked to be deleted lately, by id.
        outlived: the job that was to delete the source has ended well, and the source is live.
        look_asked: a person asks for a look at the platform now, or a write had no answer.
        corrections: how often, lately, changes by other hands were corrected.
    """

    source: Source | None
    direct: bool
    gone: bool
    carriers: tuple[Source, ...]
    adoptable: tuple[Source, ...] | None
    rivals: tuple[Source, ...]
    claimant: str | None
    job_id: str | None
    job_next_in: float
    look_due: bool
    job_failed: bool
    new_secrets: frozenset[str]
    unconverged: int
    look_asked: bool = False
    outlived: bool = False
    asked: frozenset[str] = frozenset()
    dying: tuple[Source, ...] = ()
    corrections: int = 0
    secrets_unknown: bool = False


# The steps: what can be done in one pass. Each is named for what the platform or the resource is asked to do.


@dataclass(frozen=True, slots=True)
class Intend:
    """Write finalizer and pin: from now on a source may exist."""


@dataclass(frozen=True, slots=True)
class Create:
    """POST the source with its marker."""

    body: Json


@dataclass(frozen=True, slots=True)
class FindMarker:
    """Ask the platform who carries our marker: a create may have been applied."""


@dataclass(frozen=True, slots=True)
class SaveId:
    """Write the id of a source that is ours into status."""

    source: Source
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class ForgetId:
    """Strike the id of a source that is gone, before another is created."""


@dataclass(frozen=True, slots=True)
class FinishCreate:
    """PATCH the marker away, to the wished identifier."""

    id: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Update:
    """PATCH what differs.

    Attributes:
        drift: it corrects what other hands changed.
        rotation: nothing differs but the value of a Secret.
        named: what differs, for people: paths in the API's form, and Secrets.
    """

    id: str
    changes: Json
    drift: bool = False
    rotation: bool = False
    named: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class UpdateAccess:
    """PATCH the access list."""

    id: str
    access: Access
    drift: bool = False
    """It corrects what other hands changed."""


@dataclass(frozen=True, slots=True)
class Look:
    """GET the source."""

    id: str


@dataclass(frozen=True, slots=True)
class CheckSecrets:
    """Read the Secrets in use: the watch knows nothing of one, but may be late."""


@dataclass(frozen=True, slots=True)
class RemoveExtra:
    """DELETE a source that carries our marker beside the one that is kept."""

    id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE the source."""

    id: str


@dataclass(frozen=True, slots=True)
class WatchJob:
    """GET the job that deletes the source."""

    id: str


@dataclass(frozen=True, slots=True)
class Release:
    """Take our finalizer away: nothing of ours is left, or it is to be left."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until then, or until something changes.

    Attributes:
        drift: what differs meanwhile; None: nothing was compared.
    """

    problem: Problem
    seconds: float | None = None
    drift: tuple[Difference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do: the platform has what is wanted, or what differs is only reported."""

    drift: tuple[Difference, ...] = ()
    """What others changed."""


Step = (
    Intend | Create | FindMarker | SaveId | ForgetId | FinishCreate | Update | UpdateAccess | Look
    | CheckSecrets | RemoveExtra | Delete | WatchJob | Release | Wait | Rest
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means.

    Attributes:
        problem: what to tell people.
        retry_in: seconds; None: with growing delay.
        unknown: the request may have been applied.
        gone: the platform has no such source.
    """

    problem: Problem
    retry_in: float | None = None
    unknown: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step.

    Attributes:
        source: what the platform answered.
        ticket: the job that a DELETE started.
        secrets: versions of the Secrets that were sent.
        removed: a second source was deleted.
        unconfirmed: id of a source that a create may have made, without the marker that would show it.
        failure: why it did not work.
    """

    source: Source | None = None
    ticket: JobDescriptor | None = None
    secrets: Mapping[str, tuple[str, str]] | None = None
    removed: bool = False
    unconfirmed: str | None = None
    failure: Verdict | None = None
