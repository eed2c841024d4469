"""Resources are read as the apiserver stores them, and written so that it takes them back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from imagesources.resources import marker
from imagesources.resources.base import UnreadableError
from imagesources.resources.conditions import Condition, Reason
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import DriftPolicy, HubRef, ImageSource, ManagementPolicy
from imagesources.resources.status import ImageSourceStatus, JobStatus, JobTask, Pin

METADATA = {
    "name": "web",
    "namespace": "shop",
    "uid": "0b5b9b3e-52c5-4a4f-9d0f-2b8a6f3f3b11",
    "creationTimestamp": "2026-01-02T03:04:05Z",
}
ORIGIN = {"type": "docker-hub", "details": {"target": "nginx:1.29"}}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def read(**body: Any) -> ImageSource:
    """Read an ImageSource of which only this is given."""
    return ImageSource.read({"metadata": METADATA, "spec": {"type": "direct", "origin": ORIGIN}} | body)


def test_read_minimal() -> None:
    """The least that a person writes is enough; what is absent stays absent, as that means unmanaged."""
    resource = read()
    assert resource.key == ("shop", "web")
    assert resource.spec.to_json() == {
        "type": "direct",
        "origin": ORIGIN,
        "managementPolicy": "Manage",
        "driftPolicy": "Correct",
        "suspend": False,
    }
    assert resource.metadata.creation_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert resource.metadata.deletion_timestamp is None


def test_read_defaults() -> None:
    """Defaults hold also for an object that the apiserver has not defaulted."""
    resource = read()
    assert resource.spec.management_policy is ManagementPolicy.MANAGE
    assert resource.spec.drift_policy is DriftPolicy.CORRECT
    assert resource.spec.deletion_policy is None
    assert resource.status == ImageSourceStatus(observed_generation=-1)
    assert HubRef(name="other").kind == "Hub"


def test_read_hub_defaults() -> None:
    """A hub needs nothing but its kind of platform; a ClusterHub lets nobody in by default."""
    hub = Hub.read({"metadata": METADATA, "spec": {"embedded": {}}})
    shared = ClusterHub.read({"metadata": METADATA, "spec": {"embedded": {}}})
    assert (hub.spec.inventory_interval, hub.spec.brake.window, hub.spec.rate_limit.burst) == ("60s", "10m", 50)
    assert (hub.spec.allow_source_ids, hub.spec.allow_adoption) == (False, True)
    assert (shared.spec.allowed_namespaces.names, shared.spec.allowed_namespaces.selector) == ((), None)


def test_read_ignores_unknown_fields() -> None:
    """A field of a newer schema does not break an older operator."""
    spec = {"type": "direct", "origin": ORIGIN | {"later": 1}, "later": {}}
    resource = read(spec=spec, status={"later": True}, metadata=METADATA | {"managedFields": []})
    assert resource == read()


def test_read_refuses_another_shape() -> None:
    """What was stored under another schema is an error of its own that names object and field, and no value."""
    with pytest.raises(UnreadableError, match=r"^ImageSource \S+/\S+ cannot be read; correct spec.origin.type$"):
        read(spec={"type": "direct", "origin": {"type": "floppy"}})


def test_resources_are_frozen() -> None:
    """Nobody changes what was read."""
    with pytest.raises(ValidationError, match="frozen"):
        read().spec.suspend = True


def test_to_json_drops_none() -> None:
    """Absent is written as absent: the apiserver would keep a null out of the schema's sight."""
    status = ImageSourceStatus(observed_generation=2, hub=Pin(name="default"))
    assert status.to_json() == {
        "observedGeneration": 2,
        "hub": {"kind": "", "name": "default", "uid": "", "hubId": "", "url": ""},
        "conditions": [],
    }


def test_to_json_times() -> None:
    """Times are written as in RFC 3339."""
    condition = Condition(type="Ready", status="True", reason=Reason.IN_SYNC, last_transition_time=NOON)
    assert condition.to_json()["lastTransitionTime"] == "2026-01-02T12:00:00Z"
    upload = {"type": "cycle-upload", "details": {"expires": "2035-01-01T01:00:00+01:00"}}
    assert read(spec={"origin": upload}).spec.to_json()["origin"]["details"] == {"expires": "2035-01-01T01:00:00+01:00"}


def test_to_json_is_read_back() -> None:
    """A status that was written is read as it was."""
    job = JobStatus(id="1", action="delete", state="running", tasks=(JobTask(caption="Remove", state="pending"),))
    status = ImageSourceStatus(observed_generation=1, job=job, created=NOON, credentials=())
    assert read(status=status.to_json()).status == status


def test_status_cuts_what_others_wrote() -> None:
    """However much the platform says, the apiserver takes the status."""
    task = JobTask(caption="c" * 5000, state="error", error="e" * 5000)
    job = JobStatus(id="1", action="delete", state="error", tasks=(task,) * 100)
    message = Condition(type="Ready", status="False", reason="Refused", message="m" * 5000, last_transition_time=NOON)
    assert (len(task.caption), task.caption[-2:], len(task.error or "")) == (1024, "c…", 1024)
    assert len(job.tasks) == 64
    assert len(message.message) == 4096


def test_marker() -> None:
    """The marker of a resource is its uid behind a prefix."""
    assert marker("0b5b9b3e") == "k8s-0b5b9b3e"
