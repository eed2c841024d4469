"""What the doctor concludes, of a CRD, of rights, of Hubs and of ImageSources, and in which words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.builders import hub_resource, image_source

from imagesources.kube.doctor.cluster import differences
from imagesources.kube.doctor.finding import Level, listed
from imagesources.kube.doctor.hubs import _noted, _said
from imagesources.kube.doctor.permissions import Scope, needed
from imagesources.kube.doctor.sources import look_at as look_at_sources
from imagesources.resources.conditions import counted
from imagesources.resources.hub import HubStatus
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]


def schema(**properties: Json) -> Json:
    """An object with properties."""
    return {"type": "object", "properties": properties}


def test_differences() -> None:
    """A field that the cluster lacks is told from one that differs and one that it has beside ours, at any depth."""
    text: Json = {"type": "string"}
    ours = schema(same=text, other=text | {"maxLength": 5}, list={"items": schema(inner=text)}, lacking=text)
    served = schema(same=text, other=text, list={"items": schema()}, more=text)
    assert sorted(differences(ours, served, "spec")) == [
        ("spec.lacking", True),
        ("spec.list[].inner", True),
        ("spec.more", False),
        ("spec.other", False),
    ]
    assert list(differences(ours, ours, "spec")) == []


def test_needed() -> None:
    """For single namespaces nothing is needed of the cluster; the Lease is named for every verb but create."""
    everywhere = list(needed((), "home", ("lease", "hubs")))
    assert {namespace for permission, namespace, _ in everywhere if permission.scope is Scope.SERVED} == {""}
    assert any(permission.resource == "clusterhubs" for permission, *_ in everywhere)
    some = list(needed(("a", "b"), "home", ("lease", "hubs")))
    assert not [permission for permission, *_ in some if permission.scope is Scope.CLUSTER]
    assert {namespace for permission, namespace, _ in some if permission.scope is Scope.SERVED} == {"a", "b"}
    leases = [(permission.verbs, name) for permission, _, name in some if permission.scope is Scope.HOME]
    assert leases == [(("get", "update"), "lease"), (("get", "update"), "hubs"), (("create",), "")]
    assert not [permission for permission, *_ in needed((), "home", ()) if permission.scope is Scope.HOME]


def test_listed() -> None:
    """Of many names the first few are given, and how many more there are."""
    assert listed(["b", "a"]) == "a, b"
    assert listed(f"n{number}" for number in range(7)) == "n0, n1, n2, n3, n4 and 2 more"


def stuck(name: str, reason: str, message: str, *, minutes: float = 10) -> ImageSource:
    """Returns a resource that has not been Ready for so long."""
    since = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    ready = {"type": "Ready", "status": "False", "reason": reason, "message": message, "lastTransitionTime": since}
    return image_source(status={"conditions": [ready], "observedGeneration": 1}, name=name)


def warnings(*resources: ImageSource) -> list[str]:
    """What the doctor warns of."""
    return [finding.message for finding in look_at_sources(resources) if finding.level is Level.WARN]


def test_each_cause_with_its_own_names() -> None:
    """Resources with one reason are grouped by message; beyond a few messages they are only named."""
    assert warnings(stuck("a", "Refused", "one"), stuck("b", "Refused", "two"), stuck("c", "Refused", "two")) == [
        "Refused: shop/b, shop/c: two",
        "Refused: shop/a: one",
    ]
    many = warnings(*(stuck(f"n{number}", "Refused", f"cause {number}") for number in range(8)))
    assert many[:5] == [f"Refused: shop/n{number}: cause {number}" for number in range(5)]
    assert many[5:] == ["Refused: shop/n5, shop/n6, shop/n7: for other causes, which their Ready conditions tell"]


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        ("HubNotFound", True),
        ("HubNotAllowed", True),
        ("ClusterHubUnavailable", True),
        ("PlatformUnreachable", False),
        ("Suspended", False),
    ],
)
def test_sure_at_once(reason: str, seen: bool) -> None:
    """What no waiting helps against is told at once, anything else after a while."""
    assert warnings(stuck("new", reason, "why", minutes=0.1)) == ([f"{reason}: shop/new: why"] if seen else [])


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ({"managed": 1, "unmanaged": 0, "pinned": 1}, "waits for 1 ImageSource"),
        ({"managed": 2, "unmanaged": 0, "pinned": 2}, "waits for 2 ImageSources"),
        (None, "waits for ImageSources"),
    ],
)
def test_hub_that_is_being_deleted(sources: Json | None, says: str) -> None:
    """It says how many hold it, where that is known; and that it works is only what the operator said last."""
    found = hub_resource()
    ready = {"type": "Ready", "status": "True", "reason": "Reachable", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    metadata = found.metadata.model_copy(update={"deletion_timestamp": datetime.now(UTC)})
    status = HubStatus.model_validate({"conditions": [ready], "observedGeneration": 9, "sources": sources})
    hub = found.model_copy(update={"metadata": metadata, "status": status})
    assert _said("Hub", hub).message.startswith("Hub: the operator last said that the platform answers")
    (waits,) = _noted("Hub", hub)
    assert waits.message.endswith(says)


def test_counted() -> None:
    """A number and its noun agree."""
    assert [counted(number, "hub") for number in range(3)] == ["no hub", "1 hub", "2 hubs"]
