"""The operator's copy of the cluster: the newest state of each object, found by name, uid, claim and reference."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import image_source, source_id

from imagesources.kube.cache import Cache
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]

KEY = ("shop", "web")
ID, OTHER_ID = source_id(1), source_id(2)
REF = {"secretKeyRef": {"name": "login", "key": "token"}}


def state(version: int, claim: str | None = ID, **metadata: Any) -> ImageSource:
    """Returns a state of the resource that claims a source."""
    return image_source(status={"id": claim} if claim else {}, resourceVersion=str(version), **metadata)


def naming(secret: str | None, resource: ImageSource) -> ImageSource:
    """Returns the resource with an origin that takes its token from a Secret, or from none."""
    reference = {"tokenFrom": {"secretKeyRef": {"name": secret, "key": "token"}}} if secret else {}
    spec = {"origin": {"type": "docker-hub", "details": {"target": "nginx"} | reference}}
    return resource.model_copy(update={"spec": image_source(spec).spec})


@pytest.mark.parametrize(
    ("first", "second", "new"),
    [
        pytest.param(state(5), state(6), True, id="newer"),
        pytest.param(state(5), state(5), False, id="the same"),
        pytest.param(state(5), state(4), False, id="older"),
        pytest.param(state(9), state(10), True, id="versions are numbers"),
        pytest.param(state(5, uid="a"), state(6, uid="b"), True, id="another object of this name"),
        pytest.param(
            state(6, uid="b"), state(5, uid="a"), False, id="a late word of the object that had the name before"
        ),
    ],
)
def test_put(first: ImageSource, second: ImageSource, new: bool) -> None:
    """A state is taken in unless a newer one is known, and the answer says which."""
    cache = Cache()
    assert cache.put(first)
    assert cache.put(second) is new
    kept = second if new else first
    assert cache.resources == {KEY: kept}
    assert cache.keys == {kept.metadata.uid: KEY}


def test_claims_follow() -> None:
    """Who claims a source is known, in order, and follows every change."""
    cache = Cache()
    for name in ("b", "a"):
        cache.put(state(1, name=name, uid=name))
    assert [found.metadata.name for found in cache.claimants(ID)] == ["a", "b"]
    cache.put(state(2, OTHER_ID, name="a", uid="a"))
    cache.put(state(2, None, name="b", uid="b"))
    assert list(cache.claimants(ID)) == []
    assert [found.metadata.name for found in cache.claimants(OTHER_ID)] == ["a"]
    assert cache.claims.keys() == {OTHER_ID}


def test_drop() -> None:
    """A resource that is gone leaves nothing behind, and can be dropped twice."""
    cache = Cache()
    cache.put(state(1))
    assert cache.drop(KEY) == state(1)
    assert cache.drop(KEY) is None
    assert (cache.resources, cache.keys, cache.claims, cache.named) == ({}, {}, {}, {})


_NAMES, _IDS = st.sampled_from(["a", "b"]), st.sampled_from([None, ID, OTHER_ID])
_SECRETS = st.sampled_from([None, "login", "other"])
_EVENTS = st.lists(st.tuples(st.just("drop") | st.just("put"), _NAMES, st.integers(1, 9), _IDS, _SECRETS), max_size=10)


@given(_EVENTS)
def test_indices_agree(events: list[tuple[str, str, int, str | None, str | None]]) -> None:
    """Whatever happens, the indices say what the resources say."""
    cache, secrets = Cache(), dict[tuple[str, str], str | None]()
    for kind, name, version, claim, secret in events:
        if kind == "drop":
            cache.drop(("shop", name))
        elif cache.put(naming(secret, state(version, claim, name=name, uid=name))):
            secrets["shop", name] = secret
        used = {(("shop", secret), key) for key, secret in secrets.items() if secret and key in cache.resources}
        assert {(named, key) for named, keys in cache.named.items() for key in keys} == used
        assert all(cache.named.values())
        assert cache.keys == {known.metadata.uid: key for key, known in cache.resources.items()}
        claims = {(known.status.id, key) for key, known in cache.resources.items() if known.status.id}
        assert {(claimed, key) for claimed, keys in cache.claims.items() for key in keys} == claims
        assert all(cache.claims.values())


@pytest.mark.parametrize(
    ("spec", "used"),
    [
        pytest.param({}, False, id="no credential"),
        pytest.param({"origin": None}, False, id="no origin"),
        pytest.param({"origin": {"type": "docker-hub", "details": {"tokenFrom": REF}}}, True, id="in details"),
        pytest.param(
            {"origin": {"type": "docker-file", "details": {"credentials": [{"url": "x"}, {"tokenFrom": REF}]}}},
            True,
            id="in a list",
        ),
        pytest.param(
            {
                "origin": {
                    "type": "docker-hub",
                    "details": {"tokenFrom": {"secretKeyRef": {"name": "x", "key": "login"}}},
                }
            },
            False,
            id="a key of that name",
        ),
        pytest.param({"name": "login"}, False, id="a source of that name"),
    ],
)
def test_naming_a_secret(spec: Json, used: bool) -> None:
    """The resources whose origin names a Secret are found, in its own namespace alone."""
    cache = Cache()
    cache.put(image_source(spec))
    assert (list(cache.naming(("shop", "login"))) != []) is used
    assert list(cache.naming(("elsewhere", "login"))) == []


@pytest.mark.parametrize(
    "details",
    [
        pytest.param({"sourceRef": {"name": "base"}}, id="origin"),
        pytest.param({"existing": {"sourceRef": {"name": "base"}}}, id="existing"),
    ],
)
def test_naming_a_source(details: Json) -> None:
    """The resources whose origin names another are found."""
    cache = Cache()
    cache.put(image_source({"origin": {"type": "docker-file", "details": details}}))
    assert [found.key for found in cache.naming(("shop", "base"))] == [KEY]
    assert list(cache.naming(("shop", "other"))) == []
