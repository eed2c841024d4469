"""Hub and ClusterHub: a connection to one hub of the platform."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from imagesources.resources.base import Model, Resource, Rule, exactly_one, matching
from imagesources.resources.conditions import Status
from imagesources.resources.fields import Duration, Name, ObjectId, SecretKeyRef
from imagesources.resources.imagesource import Acl, acl_rules
from imagesources.resources.meta import Metadata

OFFICIAL_URL = "https://api.cycle.io"
"""The official platform (``servers`` of the description)."""


_ORIGIN_OF_URL = r"^https?://[^\s/?#@]+/?$"
PlatformUrl = Annotated[
    str,
    StringConstraints(pattern=_ORIGIN_OF_URL, max_length=512),
    matching(
        _ORIGIN_OF_URL,
        f"platform.url is https://host or https://host:port, without path, user or query, such as {OFFICIAL_URL}",
    ),
]


class ApiKeyFrom(Model):
    """Where the API key is read from."""

    secret_key_ref: SecretKeyRef = Field(
        description="The Secret and its key: for a Hub in the same namespace, for a ClusterHub in the operator's."
    )


class PlatformConnection(Model):
    """A hub on a platform that is reached over HTTP."""

    url: PlatformUrl = Field(
        OFFICIAL_URL,
        description="Address of the platform, without a path. The operator must allow the host (--allow-host) if it "
        "is not the official one, and plain http (--allow-http).",
    )
    hub_id: ObjectId = Field(
        description="Id of the hub, as the platform's portal shows it: 24 hexadecimal digits (header X-Hub-Id)."
    )
    api_key_from: ApiKeyFrom = Field(description="Reads the API key; a new value is used without a restart.")


class EmbeddedConnection(Model):
    """A hub of the operator's own embedded platform; nothing to set."""


class RateLimit(Model):
    """How many requests the hub may be sent."""

    requests_per_second: Annotated[int, Field(ge=1, le=1000)] = Field(10, description="Requests a second, on average.")
    burst: Annotated[int, Field(ge=1, le=10000)] = Field(50, description="Requests that may be sent at once.")


class Brake(Model):
    """When writes stop because too many sources would be deleted or rewritten at once."""

    minimum: Annotated[int, Field(ge=1, le=1000000)] = Field(
        10, description="Up to this many sources within the window never stop the writes."
    )
    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        30, description="More than this share of the hub's sources within the window stops the writes."
    )
    vanished: Annotated[int, Field(ge=1, le=1000000)] = Field(
        3,
        description="Up to this many sources that have vanished from the platform within the window are created again. "
        "More than that, and more than a tenth of the hub's or 20, stop the writes: the platform may be an old copy.",
    )
    window: Duration = Field("10m", description="The time over which is counted, such as 10m.")


_NOTHING_PINNED = "!has(oldSelf.status) || !has(oldSelf.status.sources) || oldSelf.status.sources.pinned == 0"
_SAME_PLACE = (
    "has(self.spec.platform) == has(oldSelf.spec.platform) && (!has(self.spec.platform) || "
    "(self.spec.platform.hubId == oldSelf.spec.platform.hubId && self.spec.platform.url == oldSelf.spec.platform.url))"
)


class MaximumAcl(Acl):
    """The most that access lists may grant."""

    rules: ClassVar = acl_rules("maximumAcl", "the most that each may be given; {} is nobody", "for no limit")


class HubSpec(Model):
    """The connection and what it is allowed to do."""

    rules: ClassVar = (
        Rule(
            exactly_one("platform", "embedded"),
            "a hub is either platform (url, hubId, apiKeyFrom) or embedded: {}; give one of them",
        ),
    )

    platform: PlatformConnection | None = Field(None, description="A platform that is reached over HTTP.")
    embedded: EmbeddedConnection | None = Field(
        None, description="The platform that runs inside the operator: write {}, there is nothing to set."
    )
    rate_limit: RateLimit = Field(RateLimit(), description="How many requests the platform may be sent.")
    inventory_interval: Duration = Field(
        "60s",
        description="How often all sources of the hub are listed, to notice changes made by others; "
        "one request per 100 sources.",
    )
    operator_role: Name | None = Field(
        None,
        description="Identifier of the role of the API key. Given, an access list that takes manage from it is "
        "refused, as it would lock the operator out.",
    )
    maximum_acl: MaximumAcl | None = Field(
        None, description="The most that the access list of a source may grant. Absent: no limit."
    )
    allow_source_ids: bool = Field(
        False,
        description="True: origins may name sources by id. Careful: that can borrow another tenant's credentials.",
    )
    allow_adoption: bool = Field(
        True,
        description="False: spec.adopt takes over, or observes, no source of this hub. For a hub that several "
        "namespaces share, and that has sources of people who do not use Kubernetes.",
    )
    brake: Brake = Field(Brake(), description="When writes stop because too much would change at once.")
    release_brake: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="Put the token of status.brake here, to go on with the writes that were stopped."
    )


class LabelSelector(Model):
    """Labels that a namespace must have."""

    match_labels: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=63)]], Field(min_length=1, max_length=16)
    ] = Field(description="Labels, with their values, all of which a namespace must have.")


class AllowedNamespaces(Model):
    """Which namespaces may use a ClusterHub: those named and those selected; none by default."""

    names: Annotated[tuple[Annotated[str, StringConstraints(max_length=63)], ...], Field(max_length=1024)] = Field(
        (), description='Namespaces by name; "*" is every namespace.'
    )
    selector: LabelSelector | None = Field(None, description="Namespaces by their labels, beside those named.")


class ClusterHubSpec(HubSpec):
    """The connection and what it is allowed to do."""

    allowed_namespaces: AllowedNamespaces = Field(
        AllowedNamespaces(), description="Which namespaces may use this hub. Default: none."
    )


class Capability(Model):
    """What was learned of one capability of the API key."""

    name: str = Field(description="The capability, in the platform's words, such as images-sources-manage.")
    state: str = Field(description="ok, refused or unknown, as answers have told; the platform cannot be asked.")
    operation: str | None = Field(None, description="The operation that was refused.")
    remedy: str | None = Field(None, description="What to do about it.")


class SourceCounts(Model):
    """How many sources the hub has, as the operator sees it."""

    pinned: int = Field(0, description="ImageSources that belong to this hub.")
    managed: int = Field(0, description="Sources on the platform that an ImageSource of this hub has.")
    drifted: int = Field(0, description="Sources that differ from their ImageSource.")
    failed: int = Field(0, description="ImageSources that are not Ready.")
    unmanaged: int = Field(0, description="Sources on the platform that no ImageSource has, in whatever namespace.")
    unmanaged_names: tuple[str, ...] = Field(
        (), description="The first few of the unmanaged sources, as identifier (id): several may have one identifier."
    )
    strays: tuple[str, ...] = Field(
        (), description="Sources that were created for an ImageSource that is gone, by id; never deleted by itself."
    )


class BrakeStatus(Model):
    """Why writes are stopped."""

    engaged: bool = Field(False, description="True: nothing is written to the platform.")
    token: str | None = Field(None, description="Put this into spec.releaseBrake to go on.")
    message: str | None = Field(None, description="What would have changed.")


class CountedSource(Model):
    """A source that was deleted or rewritten, or was about to be."""

    id: str = Field(description="Id of the source.")
    at: datetime = Field(description="When; it counts for the brake's window.")


class Counted(Model):
    """Which sources were deleted or rewritten lately; of very many the rest is a number, noted a little ahead."""

    sources: tuple[CountedSource, ...] = Field((), description="The newest of them.")
    vanished: tuple[CountedSource, ...] | None = Field(
        None, description="Sources that others deleted and that were, or were about to be, created again."
    )
    others: int = Field(0, description="How many more, at most.")
    at: datetime = Field(description="When that was noted.")
    release: str = Field("", description="spec.releaseBrake at that time: a release begins to count anew.")


class HubStatus(Status):
    """What the operator knows of the hub."""

    hub_id: str | None = Field(None, description="Id of the hub on the platform.")
    url: str | None = Field(None, description="Where it is reached; for an embedded platform its instance.")
    capabilities: tuple[Capability, ...] | None = Field(
        None, description="What the API key may do, as far as answers of the platform have shown."
    )
    sources: SourceCounts | None = Field(None, description="How many sources there are, and how they are.")
    brake: BrakeStatus | None = Field(None, description="The brake, once it has stopped the writes.")
    counted: dict[str, Counted] | None = Field(
        None, description="What the brake has counted, by shard of the operator: a restarted one goes on from there."
    )


class Hub(Resource):
    """A connection to one hub of the platform, for the ImageSources of its namespace."""

    rules: ClassVar = (
        Rule(
            f"{_NOTHING_PINNED} || ({_SAME_PLACE})",
            "platform.hubId and platform.url are immutable while ImageSources belong to this hub "
            "(status.sources.pinned); delete them first, or create another hub",
            "spec.platform",
        ),
    )

    plural: ClassVar = "hubs"
    namespaced: ClassVar = True
    short_names: ClassVar = ("imghub",)
    selectable: ClassVar = ()
    columns: ClassVar = (
        ("Ready", ".status.conditions[?(@.type=='Ready')].status", 0),
        ("Reason", ".status.conditions[?(@.type=='Ready')].reason", 0),
        ("Hub ID", ".status.hubId", 0),
        ("Sources", ".status.sources.managed", 0),
        ("Drifted", ".status.sources.drifted", 1),
        ("Unmanaged", ".status.sources.unmanaged", 1),
        ("URL", ".status.url", 1),
        ("Message", ".status.conditions[?(@.type=='Ready')].message", 1),
    )

    metadata: Metadata
    spec: HubSpec
    status: HubStatus = Field(default_factory=HubStatus)


class ClusterHub(Hub):
    """A connection to one hub of the platform, for the namespaces that it allows."""

    plural: ClassVar = "clusterhubs"
    namespaced: ClassVar = False
    short_names: ClassVar = ("cimghub",)

    spec: ClusterHubSpec


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """Read a duration of a resource, such as ``90s`` or ``5m``."""
    number = duration.rstrip("hms")
    return int(number) * _UNITS[duration[len(number) :]]
