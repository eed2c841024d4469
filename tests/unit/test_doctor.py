"""What the doctor concludes: which differences of a CRD matter, what is needed where, how many names it lists."""

from typing import Any

from imagesources.kube.doctor.cluster import differences
from imagesources.kube.doctor.finding import listed
from imagesources.kube.doctor.permissions import Scope, needed

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
