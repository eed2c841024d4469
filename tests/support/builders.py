"""Values of the engine's stages for tests to change.

As they come they fit together: a source that is as its resource wants it, settled, and no doubt about anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support import documents

from imagesources.hubs.budget import CallBudget
from imagesources.hubs.hub import HubConnection
from imagesources.kube.cache import Cache
from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.models import Acl, Source
from imagesources.reconcile.model import Access, Doubt, Observed, Record, Wanted
from imagesources.reconcile.ports import Key, Secret
from imagesources.resources import marker
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import Pin
from imagesources.settings import Settings

Json = dict[str, Any]

UID = "11111111-2222-4333-8444-555555555555"
MARKER = marker(UID)
NOW = datetime(2026, 1, 30, 8, 30, tzinfo=UTC)
LATER = datetime(2026, 1, 30, 9, 0, tzinfo=UTC)
URL = "https://platform.example.com"
PIN = Pin(kind="Hub", name="default", uid="hub-uid", hub_id=documents.HUB_ID, url=URL)
ORIGIN: Json = {"type": "docker-hub", "details": {"target": "nginx:1.29"}}

VIEW, MODIFY, MANAGE = "view", "modify", "manage"


def source_id(number: int) -> str:
    """Returns an id of the platform; a higher number gives a higher id."""
    return f"{number:024x}"


def source(**changes: Any) -> Source:
    """Builds a live source as the platform shows it; ``state`` may be given as a word."""
    if isinstance(state := changes.get("state"), str):
        changes["state"] = {"current": state, "changed": documents.NOW}
    return Source.model_validate(documents.source(**changes))


def acl(**rights: str) -> Acl:
    """Builds an access list of roles and what they may do, as ``developer="view modify"``."""
    return Acl.model_validate(
        {
            "roles": {
                role: {may: may in given.split() for may in (VIEW, MODIFY, MANAGE)} for role, given in rights.items()
            }
        }
    )


def access(**rights: str) -> Access:
    """Builds a wished access list."""
    return Access(acl(**rights))


UNRESTRICTED = Access(None)


def image_source(spec: Json | None = None, status: Json | None = None, **metadata: Any) -> ImageSource:
    """Builds a resource as the apiserver stores it: parts in camelCase, metadata by keyword."""
    known = {"name": "web", "namespace": "shop", "uid": UID, "generation": 1, "resourceVersion": "1"}
    return ImageSource.read(
        {
            "metadata": known | {"creationTimestamp": "2026-01-01T00:00:00Z"} | metadata,
            "spec": {"type": "direct", "origin": ORIGIN} | (spec or {}),
            "status": status or {},
        }
    )


def wanted(**changes: Any) -> Wanted:
    """Builds what a resource wants: here just what ``source()`` is."""
    known: Json = {
        "uid": UID,
        "generation": 1,
        "marker": MARKER,
        "exists": True,
        "type": "direct",
        "fields": {"name": "Web", "origin": ORIGIN},
        "defaults": {"name": "Web"},
        "cleared": {},
        "identifier": "web",
        "access": None,
        "secrets": frozenset(),
        "observe_only": False,
        "correct_drift": True,
        "suspended": False,
        "orphan": False,
        "adopt_id": None,
        "adopt_identifier": None,
        "never_adopt": False,
    }
    return Wanted(**known | changes)


def record(**changes: Any) -> Record:
    """Builds what a settled resource remembers."""
    known: Json = {
        "id": documents.SOURCE_ID,
        "pin": PIN,
        "intent": True,
        "finalizer": True,
        "settled_generation": 1,
        "adopted": False,
        "saved": changes.get("id", documents.SOURCE_ID) is not None,
    }
    return Record(**known | changes)


def observed(**changes: Any) -> Observed:
    """Builds what is known of the platform: the source, as a list has shown it."""
    known: Json = {
        "source": source(),
        "direct": False,
        "gone": False,
        "carriers": (),
        "dying": (),
        "adoptable": None,
        "rivals": (),
        "claimant": None,
        "job_id": None,
        "job_next_in": 0.0,
        "job_failed": False,
        "look_due": False,
        "new_secrets": frozenset(),
        "secrets_unknown": False,
        "unconverged": 0,
        "look_asked": False,
        "asked": frozenset(),
        "corrections": 0,
    }
    return Observed(**known | changes)


def doubt(**changes: Any) -> Doubt:
    """Builds what is known of earlier creates: that there is none."""
    return Doubt(**{"clear": True, "settled_in": 0.0, "over_in": 0.0, "absences": 0} | changes)


def hub_resource(name: str = "default", **spec: Any) -> Hub:
    """Builds a Hub."""
    return Hub.read({"metadata": _hub_metadata(name) | {"namespace": "shop"}, "spec": {"embedded": {}} | spec})


def cluster_hub_resource(name: str = "default", **spec: Any) -> ClusterHub:
    """Builds a ClusterHub."""
    return ClusterHub.read({"metadata": _hub_metadata(name), "spec": {"embedded": {}} | spec})


def _hub_metadata(name: str) -> Json:
    return {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"}


def hub_connection(pin: Pin = PIN, **spec: Any) -> HubConnection:
    """Builds a connection whose host policy forbids every call, so that nothing ever leaves the machine."""
    client = PlatformClient(Connection(pin.url, pin.hub_id or documents.HUB_ID, "key"), HostPolicy(official=""))
    resource = hub_resource(**spec)
    return HubConnection(("Hub", "shop", "default"), pin, resource.spec, client, CallBudget(1000, 1000), Settings())


@dataclass
class Reads:
    """The reading half of the engine's Kubernetes, out of the operator's own cache and a dictionary of Secrets."""

    resources: Iterable[ImageSource] = ()
    secrets: Mapping[Key, Secret] = field(default_factory=dict)
    read: list[Key] = field(default_factory=list)
    """Secrets that were asked for."""

    def __post_init__(self) -> None:
        self.cache = Cache()
        for resource in self.resources:
            self.cache.put(resource)

    def get(self, key: Key) -> ImageSource | None:
        """Reads a resource."""
        return self.cache.resources.get(key)

    def claimants(self, source_id: str) -> Iterable[ImageSource]:
        """Finds the resources that claim a source."""
        return self.cache.claimants(source_id)

    def secret_version(self, namespace: str, name: str) -> tuple[str, str] | None:
        """Tells the version of a Secret."""
        found = self.secrets.get((namespace, name))
        return (found.uid, found.resource_version) if found and found.labelled else None

    async def read_secret(self, namespace: str, name: str) -> Secret | None:
        """Reads a Secret."""
        self.read.append((namespace, name))
        return self.secrets.get((namespace, name))


def secret(values: Mapping[str, str], *, version: str = "1", labelled: bool = True, **more: Any) -> Secret:
    """Builds a Secret."""
    return Secret(uid="secret-uid", resource_version=version, labelled=labelled, type="Opaque", values=values, **more)
