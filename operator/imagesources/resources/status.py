"""The status of an ImageSource: what was seen, what was done, and what cannot be read off the platform."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from imagesources.resources.base import Model
from imagesources.resources.conditions import Condition, Status
from imagesources.resources.fields import ObjectId, Shown, at_most


class Pin(Model):
    """The place that a source belongs to, fixed by the first intent; it never changes."""

    kind: str = Field("", description="Hub or ClusterHub.")
    name: str = Field("", description="Name of the Hub or ClusterHub.")
    uid: str = Field("", description="Uid that the Hub or ClusterHub had.")
    hub_id: str = Field("", description="Id of the hub on the platform.")
    url: str = Field("", description="Address of the platform; for an embedded platform its instance.")

    @property
    def place(self) -> tuple[str, str]:
        """The hub that is meant, whatever resource speaks of it."""
        return self.url, self.hub_id


class Creator(Model):
    """Who created the source."""

    id: str = Field(description="Id of the creator.")
    type: str = Field(description="Kind of creator, such as api-key or account.")


class ObservedAclEntry(Model):
    """What one role may do on the platform."""

    view: bool = Field(description="May see and use the source.")
    modify: bool = Field(description="May edit the source.")
    manage: bool = Field(description="May delete the source and change who has access.")


class ObservedAcl(Model):
    """Who may do what on the platform."""

    roles: dict[str, ObservedAclEntry] | None = Field(None, description="What each role may do, by identifier.")
    unrestricted: bool | None = Field(None, description="True: there is no access list.")


class JobTask(Model):
    """A task of the job."""

    caption: Shown = Field(description="What the task does.")
    state: str = Field(description="pending, running, completed or error.")
    steps: str | None = Field(None, description="Steps done of all steps, such as 1/3.")
    started: datetime | None = Field(None, description="When the task started.")
    finished: datetime | None = Field(None, description="When the task ended.")
    error: Shown | None = Field(None, description="Why the task failed.")


class JobStatus(Model):
    """The platform's job for this source: as it runs, then as the last one."""

    id: str = Field(description="Id of the job on the platform.")
    action: str = Field(description="What the operator asked the platform to do, such as delete.")
    state: str = Field(description="Where the job stands: new, queued, scheduled, running, completed, expired, error.")
    summary: str = Field("", description="State and progress in one word, for kubectl get.")
    progress: str | None = Field(None, description="Tasks done of all tasks, such as 2/3.")
    percent: int | None = Field(None, description="Tasks and steps done, in percent.")
    tasks: Annotated[tuple[JobTask, ...], at_most(64), Field(max_length=64)] = Field(
        (), description="Tasks of the job, in their order."
    )
    queued: datetime | None = Field(None, description="When the job was queued.")
    started: datetime | None = Field(None, description="When the job started.")
    finished: datetime | None = Field(None, description="When the job ended.")
    error: Shown | None = Field(None, description="Why the job failed.")


class DriftField(Model):
    """A difference between spec and platform; credentials are never compared."""

    path: str = Field(description="The field, written as in spec, such as origin.details.target.")
    desired: Shown | None = Field(None, description="What spec says.")
    observed: Shown | None = Field(None, description="What the platform says.")


class Drift(Model):
    """What others changed on the platform."""

    detected: datetime | None = Field(None, description="When the difference was first seen.")
    fields: tuple[DriftField, ...] = Field((), description="What differs, field by field; never a credential.")


class UsedSecret(Model):
    """A Secret whose values were sent, by its version: no value, no hash of one."""

    name: str = Field(description="Name of the Secret.")
    uid: str = Field(description="Uid of the Secret.")
    resource_version: str = Field(description="Version of the Secret whose values were sent.")


class ImageSourceStatus(Status):
    """What the operator saw and did."""

    settled_generation: int | None = Field(
        None,
        description="The newest generation that the source was seen to be; a difference that comes later is drift.",
    )
    id: ObjectId | None = Field(None, description="Id of the source on the platform.")
    unconfirmed_id: ObjectId | None = Field(
        None,
        description="Id of a source that the platform may have created for this resource, though under another "
        "identifier than was asked for; nothing is created until spec.adopt or deletionPolicy decides.",
    )
    hub: Pin | None = Field(None, description="The place that the source belongs to; it never changes.")
    state: str | None = Field(None, description="State of the source on the platform: live, deleting or deleted.")
    identifier: str | None = Field(None, description="Identifier of the source on the platform.")
    creator: Creator | None = Field(None, description="Who created the source.")
    created: datetime | None = Field(None, description="When the source was created.")
    updated: datetime | None = Field(
        None, description="When the source was last updated, as of the last change of this status."
    )
    images_count: int | None = Field(None, description="Number of images, as of the last change of this status.")
    acl: ObservedAcl | None = Field(None, description="Who may do what on the platform.")
    job: JobStatus | None = Field(None, description="The job of the platform that runs for this source, or the last.")
    drift: Drift | None = Field(
        None, description="What differs on the platform and is left so: by policy, while suspended, or for now."
    )
    credentials: tuple[UsedSecret, ...] | None = Field(
        None, description="Secrets whose values the platform has, by version; no value and no hash of one."
    )
    managed: tuple[str, ...] | None = Field(None, description="Fields of spec that the operator has set.")
    adopted: bool | None = Field(None, description="True once an existing source was taken over; never unset.")
    deletion_policy: str | None = Field(
        None, description="What becomes of the source when this resource is deleted: Delete or Orphan."
    )
    last_handled_reconcile_at: str | None = Field(
        None, description="Value of the annotation images.cycle.io/requestedAt that was handled last."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field(
        (),
        description="How the source is: Ready, Synced, AccessSynced (with spec.acl), and others while they are true.",
    )
