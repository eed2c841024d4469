"""Conditions as the Kubernetes API conventions and kstatus want them, and the closed list of reasons."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from imagesources.resources.base import Model
from imagesources.resources.fields import at_most


class ConditionType(StrEnum):
    """What the status speaks of. AccessSynced goes with spec.acl; the last four are there only while true (kstatus)."""

    def __new__(cls, value: str, meaning: str) -> "ConditionType":
        """Keep the meaning beside the word."""
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.meaning = meaning
        return kind

    meaning: str

    READY = (
        "Ready",
        "True: the source was seen to be what this generation of the spec says, but for what policies leave.",
    )
    SYNCED = (
        "Synced",
        "True: the definition on the platform equals the spec. Unknown: it was not compared.",
    )
    ACCESS_SYNCED = "AccessSynced", "True: the access list on the platform equals spec.acl."
    RECONCILING = "Reconciling", "Work is under way or will be tried again."
    STALLED = "Stalled", "Nothing will get better until somebody changes something."
    PLATFORM_ERROR = "PlatformError", "The platform reports an error of the source itself."
    JOB_NOT_ACCEPTED = "JobNotAccepted", "The platform did not accept the last job."


class Condition(Model):
    """One statement about the resource (``metav1.Condition``)."""

    type: Annotated[str, StringConstraints(max_length=64)] = Field(description="What is said something about.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="Why, in one word of the documented list."
    )
    message: Annotated[str, at_most(4096), StringConstraints(max_length=4096)] = Field(
        "", description="Why, for people, and what to do."
    )
    last_transition_time: datetime = Field(description="When status changed last.")
    observed_generation: int = Field(0, description="The generation of the resource that this was said of.")


class Status(Model):
    """What every status says."""

    observed_generation: int = Field(
        -1, description="The newest generation of this resource that the operator has looked at; -1: none yet."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field((), description="How the resource is.")

    def condition(self, kind: ConditionType) -> Condition | None:
        """Find a condition by its type; None: nothing is said about that."""
        return next((condition for condition in self.conditions if condition.type == kind), None)


def counted(number: int, one: str, more: str = "") -> str:
    """Write a number with its noun: ``no source``, ``1 source``, ``2 sources``, unless ``more`` is its plural."""
    return f"{number or 'no'} {(more or f'{one}s') if number > 1 else one}"


class Reason(StrEnum):
    """Every reason that a condition can give, with its one meaning and its one remedy.

    Attributes:
        meaning: what is the case.
        remedy: what to do about it, in one sentence.
    """

    def __new__(cls, value: str, meaning: str, remedy: str) -> "Reason":
        """Keep meaning and remedy beside the word."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.meaning = meaning
        reason.remedy = remedy
        return reason

    meaning: str
    remedy: str

    IN_SYNC = "InSync", "The source on the platform is what the spec says.", "Nothing to do."
    OBSERVED = "Observed", "The source exists and is only observed.", "Nothing to do."
    CREATING = "Creating", "The source is being created.", "Wait; it takes seconds."
    DELETING = (
        "Deleting",
        "The source is being deleted by a job of the platform.",
        "Wait; status.job shows how far the job is.",
    )
    PENDING = "Pending", "The resource waits for its first look at the platform.", "Wait; it takes seconds."
    SUSPENDED = (
        "Suspended",
        "spec.suspend is true, and something would be written otherwise.",
        "Set spec.suspend to false to go on.",
    )

    REACHABLE = "Reachable", "Of a Hub: the platform answers and accepts the API key.", "Nothing to do."
    BRAKED = (
        "Braked",
        "Too many sources of a Hub would be deleted or rewritten at once; nothing is written to it.",
        "See status.brake of the Hub; if the change is meant, put its token into spec.releaseBrake.",
    )

    HUB_NOT_FOUND = (
        "HubNotFound",
        "The Hub or ClusterHub that the resource names does not exist.",
        "Create it, or correct spec.hubRef; without hubRef, create a Hub named default.",
    )
    HUB_NOT_ALLOWED = (
        "HubNotAllowed",
        "The ClusterHub does not allow this namespace.",
        "Have the namespace added to spec.allowedNamespaces of the ClusterHub, or use a Hub of your own.",
    )
    CLUSTER_HUB_UNAVAILABLE = (
        "ClusterHubUnavailable",
        "The operator runs for single namespaces and reads no ClusterHubs.",
        "Use a Hub in the namespace, or run the operator for the whole cluster.",
    )
    HUB_CHANGED = (
        "HubChanged",
        "The resource now resolves to another place than the one that its source lives in (status.hub).",
        "Put the former hub back; to move a source, orphan it and create a new resource that adopts it.",
    )
    HOST_NOT_ALLOWED = (
        "HostNotAllowed",
        "The URL of the Hub names a host that the operator may not talk to.",
        "Correct the URL, or start the operator with --allow-host for this host (--allow-http for plain http).",
    )
    CREDENTIALS_MISSING = (
        "CredentialsMissing",
        "The Secret of the Hub, or its key, is missing or does not carry the label.",
        'Create the Secret with that key, labelled images.cycle.io/credentials: "true".',
    )
    SECRET_MISSING = (
        "SecretMissing",
        "A Secret of the origin, or its key, is missing or does not carry the label; what was sent before stays.",
        'Create the Secret with that key, labelled images.cycle.io/credentials: "true".',
    )
    SECRET_NOT_FOR_HOST = (
        "SecretNotForHost",
        "A Secret in use names the hosts that it may be sent to, and this is none of them.",
        "Correct the URL, or have the Secret's owner add the host to its annotation images.cycle.io/allowed-hosts.",
    )
    SOURCE_REF_MISSING = (
        "SourceRefMissing",
        "An ImageSource that the origin names has no source on the platform yet, or is the very one that names it.",
        "Create that ImageSource in this namespace or correct the name; this one follows by itself.",
    )
    SOURCE_REF_ELSEWHERE = (
        "SourceRefElsewhere",
        "An ImageSource that the origin names belongs to another hub.",
        "Name an ImageSource of the same hub.",
    )
    SOURCE_ID_NOT_ALLOWED = (
        "SourceIdNotAllowed",
        "The origin names a source by id, or an ImageSource that only observes one, which the Hub does not allow.",
        "Name an ImageSource that manages its source by sourceRef, or have spec.allowSourceIds of the Hub set to true.",
    )

    PLATFORM_UNREACHABLE = (
        "PlatformUnreachable",
        "The platform cannot be reached, or gives no usable answer.",
        "Check the URL of the Hub and the network; it is tried again by itself.",
    )
    KEY_REJECTED = (
        "KeyRejected",
        "The platform does not accept the API key.",
        "Put a valid API key into the Secret of the Hub; it is used within seconds.",
    )
    FORBIDDEN = (
        "Forbidden",
        "The API key lacks a capability, or its role a privilege on the source.",
        "Give the role of the API key the capability that the message names.",
    )
    WRONG_HUB = (
        "WrongHub",
        "The platform does not know the hub, or the API key belongs to another hub.",
        "Correct spec.platform.hubId of the Hub, or put an API key of that hub into its Secret.",
    )
    RATE_LIMITED = (
        "RateLimited",
        "The platform asks to wait.",
        "Wait; lower spec.rateLimit of the Hub if it happens often.",
    )
    REFUSED = (
        "Refused",
        "The platform refuses what the spec asks for.",
        "Correct the field that the message names.",
    )
    OUTCOME_UNKNOWN = (
        "OutcomeUnknown",
        "A request was sent and its outcome is not known yet.",
        "Wait; the operator looks at the platform before it writes again.",
    )

    DRIFTED = (
        "Drifted",
        "Others changed the source on the platform, and the policies leave it so.",
        "Set the spec to what status.drift shows, or spec.driftPolicy to Correct.",
    )
    DRIFT_NOT_CONVERGING = (
        "DriftNotConverging",
        "The platform does not keep what is written.",
        "Set the fields that the message names to what status.drift shows as observed, or remove them.",
    )
    SOURCE_GONE = (
        "SourceGone",
        "Others deleted the source on the platform, and the policies do not create it again.",
        "Set spec.driftPolicy to Correct (adopted: create another ImageSource without adopt), or delete this one.",
    )
    CHANGED_ELSEWHERE = (
        "ChangedElsewhere",
        "Others keep changing the source back; the operator corrects that three times within ten minutes, not more.",
        "Find who else manages the source (status.drift says what differs), or set spec.driftPolicy to Report.",
    )
    MAY_ALREADY_EXIST = (
        "MayAlreadyExist",
        "A source like this exists on the platform and no resource claims it.",
        "Set spec.adopt.id to the id that the message names, or spec.adopt.policy to Never.",
    )
    ALREADY_CLAIMED = (
        "AlreadyClaimed",
        "Another ImageSource manages this source.",
        "Delete one of the two resources; give it spec.deletionPolicy Orphan first.",
    )
    ADOPTION_FAILED = (
        "AdoptionFailed",
        "The source to adopt does not exist, or is not the only one with this identifier.",
        "Set spec.adopt.id to the id of a source of this hub.",
    )
    ADOPTION_NOT_ALLOWED = (
        "AdoptionNotAllowed",
        "The Hub does not allow that existing sources are taken over or observed.",
        "Remove spec.adopt to have a source of your own, or have spec.allowAdoption of the Hub set to true.",
    )
    TYPE_MISMATCH = (
        "TypeMismatch",
        "The source on the platform has another type, which cannot change.",
        "Create an ImageSource with the type that the source has, or one without adopt.",
    )
    ACCESS_REFUSED = (
        "AccessRefused",
        "The access list would lock the operator out, or grants more than the Hub allows.",
        "Give the operator's role manage in spec.acl, and stay within spec.maximumAcl of the Hub.",
    )
    ACCESS_LOST = (
        "AccessLost",
        "The source no longer lets the operator in.",
        "Give the role of the API key manage on the source, on the platform.",
    )
    JOB_FAILED = (
        "JobFailed",
        "The job that deletes the source failed; it is tried again.",
        "See status.job.error; remove what still uses the source.",
    )
    STATE_ERROR = (
        "StateError",
        "The platform reports an error of the source.",
        "Correct what the message says, most often the origin or its credentials.",
    )
    NOT_ACCEPTED = (
        "NotAccepted",
        "The platform did not accept the job that deletes the source.",
        "Wait, as it is asked for again; if it lasts, look at the jobs of the hub on the platform.",
    )
