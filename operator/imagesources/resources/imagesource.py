"""ImageSource: one image source of the platform, kept as YAML."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from imagesources.resources import MARKER_PREFIX, RECONCILE_ANNOTATION
from imagesources.resources.base import Model, Resource, Rule, exactly_one
from imagesources.resources.fields import Name, ObjectId, Word
from imagesources.resources.meta import Metadata
from imagesources.resources.origin import Origin
from imagesources.resources.status import ImageSourceStatus


class ManagementPolicy(StrEnum):
    """Whether the operator may write to the platform."""

    MANAGE = "Manage"
    OBSERVE = "Observe"


class DeletionPolicy(StrEnum):
    """What becomes of the source when its resource is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class DriftPolicy(StrEnum):
    """What is done about a change that was made on the platform by other hands."""

    CORRECT = "Correct"
    REPORT = "Report"


class Builder(Model):
    """The integration that builds the images."""

    integration_id: Name = Field(description="Id or identifier of an integration of the hub.")


class About(Model):
    """What people should know about the source."""

    description: Annotated[str, StringConstraints(max_length=8192)] = Field(
        description="A description for people, shown on the platform."
    )


class AclEntry(Model):
    """What one role may do."""

    view: bool = Field(description="May see and use the source.")
    modify: bool = Field(description="May edit the state, name and identifier of the source.")
    manage: bool = Field(description="May delete the source and change who has access.")


def acl_rules(name: str, roles: str, absent: str) -> tuple[Rule, Rule]:
    """Write the rules of an access list: what its field is called, what ``roles`` mean there, and why to remove it."""
    return (
        Rule(
            exactly_one("roles", "unrestricted"),
            f"{name} is either {name}.roles ({roles}) or {name}.unrestricted: true; {absent}, remove {name}",
        ),
        Rule(
            "!has(self.roles) || self.roles.all(role, size(role) > 0 && size(role) <= 253)",
            f"each key of {name}.roles is the identifier of a role, of 1 to 253 characters",
            "roles",
        ),
    )


class Acl(Model):
    """Who may do what with the source."""

    atomic: ClassVar = True
    rules: ClassVar = acl_rules("acl", "who may do what; {} is nobody", "to leave access as it is")

    roles: Annotated[dict[str, AclEntry], Field(max_length=64)] | None = Field(
        None,
        description="What each role may do, by the identifier of the role, sent as written. "
        "Roles that are not listed may do nothing; {} is nobody.",
    )
    unrestricted: Literal[True] | None = Field(
        None, description="The platform's null: no access list, every role may do what its capabilities allow."
    )


class HubRef(Model):
    """The Hub (same namespace) or ClusterHub to use."""

    atomic: ClassVar = True

    kind: Literal["Hub", "ClusterHub"] = Field("Hub", description="Hub (of this namespace) or ClusterHub.")
    name: Name = Field(description="Name of the Hub or ClusterHub.")


class Adopt(Model):
    """A source that exists on the platform already and is to be taken over."""

    atomic: ClassVar = True
    rules: ClassVar = (
        Rule(
            exactly_one("id", "identifier", "policy"),
            "adopt takes one field: adopt.id or adopt.identifier (take that source over), "
            "or adopt.policy: Never (create a new one)",
        ),
    )

    id: ObjectId | None = Field(None, description="Id of the source to take over.")
    identifier: Word | None = Field(
        None, description="Identifier of the source to take over; only one source of the hub may have it."
    )
    policy: Literal["Never"] | None = Field(
        None, description="Never: create a new source, although one like it exists (reason MayAlreadyExist)."
    )


_OWN_MARKER = f"^{MARKER_PREFIX}[0-9a-f]{{8}}-[0-9a-f]{{4}}-"


class ImageSourceSpec(Model):
    """What the source should be. A field that is absent is not managed: never compared, never sent."""

    rules: ClassVar = (
        Rule(
            "!has(oldSelf.type) || (has(self.type) && self.type == oldSelf.type)",
            "type is immutable; to have another type, create another ImageSource",
            "type",
        ),
        Rule(
            "self.managementPolicy == 'Observe' || has(self.type)",
            "type is required (direct, stack-build or bucket), unless managementPolicy is Observe",
            "type",
            reason="FieldValueRequired",
        ),
        Rule(
            "self.managementPolicy == 'Observe' || has(self.origin)",
            "origin is required, unless managementPolicy is Observe",
            "origin",
            reason="FieldValueRequired",
        ),
        Rule(
            "self.managementPolicy != 'Observe' || (has(self.adopt) && !has(self.adopt.policy))",
            "managementPolicy Observe needs the source to observe: give adopt.id or adopt.identifier",
            "adopt",
            reason="FieldValueRequired",
        ),
        Rule(
            f"!has(self.identifier) || !self.identifier.matches('{_OWN_MARKER}')",
            f"an identifier that starts with {MARKER_PREFIX} and a uid is the operator's own; choose another",
            "identifier",
        ),
    )

    name: Word | None = Field(
        None, description="Name of the source. Absent: metadata.name when it is created, then not managed."
    )
    identifier: Name | None = Field(
        None,
        description="Identifier by which people and other resources refer to the source; it need not be unique. "
        "Absent: made of the name when it is created (Web Shop becomes web-shop), then not managed.",
    )
    type: Literal["direct", "stack-build", "bucket"] | None = Field(
        None,
        description="Type of the images in this source, in the platform's words: direct (the usual one), stack-build "
        "(used by stacks) or bucket. Immutable.",
    )
    origin: Origin | None = Field(None, description="Where the image comes from.")
    builder: Builder | None = Field(
        None, description="The integration that builds or imports the images. Absent: not managed."
    )
    about: About | None = Field(None, description="What people should know about the source.")
    acl: Acl | None = Field(
        None, description="Who may do what with the source. Absent: access is not managed and never touched."
    )

    hub_ref: HubRef | None = Field(
        None,
        description="Where the source lives; fixed once it is created. "
        "Absent: the Hub default of this namespace, else the ClusterHub default.",
    )
    adopt: Adopt | None = Field(None, description="Take over a source that exists already, instead of creating one.")
    management_policy: ManagementPolicy = Field(
        ManagementPolicy.MANAGE,
        description="Manage: create, update and delete the source. Observe: read and report it, never write.",
    )
    deletion_policy: DeletionPolicy | None = Field(
        None,
        description="What becomes of the source when this resource is deleted. Delete: it is deleted too. "
        "Orphan: it stays. Absent: Delete, but Orphan if it was adopted.",
    )
    drift_policy: DriftPolicy = Field(
        DriftPolicy.CORRECT,
        description="What is done about changes made on the platform by others. Correct: they are undone. "
        "Report: they are shown in status.drift.",
    )
    suspend: bool = Field(
        False, description="True: write nothing to the platform, not even a delete, until this is false again."
    )


class ImageSource(Resource):
    """An image source of the Cycle platform: where an image comes from and how it is built."""

    rules: ClassVar = (
        Rule(
            "!(has(oldSelf.status) && has(oldSelf.status.adopted) && oldSelf.status.adopted "
            "&& has(oldSelf.spec.adopt) && has(oldSelf.spec.adopt.identifier)) "
            "|| !has(self.spec.adopt) || !has(self.spec.adopt.identifier) "
            "|| self.spec.adopt.identifier == oldSelf.spec.adopt.identifier",
            "adopt.identifier is immutable once a source was adopted; to adopt another, create another ImageSource",
            "spec.adopt.identifier",
        ),
    )

    plural: ClassVar = "imagesources"
    namespaced: ClassVar = True
    short_names: ClassVar = ("imgsrc",)
    selectable: ClassVar = (
        ".spec.type",
        ".spec.origin.type",
        ".spec.hubRef.name",
        ".status.hub.name",
        ".status.state",
        ".status.id",
    )
    columns: ClassVar = (
        ("Ready", ".status.conditions[?(@.type=='Ready')].status", 0),
        ("Reason", ".status.conditions[?(@.type=='Ready')].reason", 0),
        ("Origin", ".spec.origin.type", 0),
        ("Identifier", ".status.identifier", 0),
        ("Job", ".status.job.summary", 0),
        ("ID", ".status.id", 1),
        ("State", ".status.state", 1),
        ("Hub", ".status.hub.name", 1),
        ("Synced", ".status.conditions[?(@.type=='Synced')].status", 1),
        ("Access", ".status.conditions[?(@.type=='AccessSynced')].status", 1),
        ("Suspended", ".spec.suspend", 1),
        ("Message", ".status.conditions[?(@.type=='Ready')].message", 1),
    )

    metadata: Metadata
    spec: ImageSourceSpec
    status: ImageSourceStatus = Field(default_factory=ImageSourceStatus)

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    @property
    def requested_at(self) -> str | None:
        """The value of the annotation that asks for a reconcile now."""
        return self.metadata.annotations.get(RECONCILE_ANNOTATION)
