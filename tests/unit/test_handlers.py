"""What the watch says about resources that are gone."""

from typing import Any

import pytest
from tests.support.builders import image_source
from tests.support.scripted import handlers

from imagesources.reconcile.memory import Memory
from imagesources.resources import CREDENTIALS_LABEL


def test_namespaces() -> None:
    """The labels of a namespace are known as long as it is there."""
    there = handlers()
    there.namespace_seen({"name": "shop", "labels": {"team": "a"}}, gone=False)
    assert there.hubs.directory.namespace_labels == {"shop": {"team": "a"}}
    there.namespace_seen({"name": "shop", "labels": {"team": "a"}}, gone=True)
    assert there.hubs.directory.namespace_labels == {}


@pytest.mark.parametrize(
    ("known", "left"),
    [
        pytest.param("the one", {"another"}, id="as it was known"),
        pytest.param("its successor", {"another"}, id="its name is another's by now"),
    ],
)
async def test_source_deleted(known: str, left: set[str]) -> None:
    """Nothing is remembered of a resource that is gone, and its successor of the same name stays known."""
    there = handlers()
    there.cache.put(image_source(uid=known))
    there.engine.memories |= {"the one": Memory(attempted=0.0), "another": Memory(attempted=0.0)}
    there.source_deleted({"metadata": image_source(uid="the one").metadata.to_json()})
    assert set(there.engine.memories) == left
    assert [r.metadata.uid for r in there.cache.resources.values()] == ([known] if known != "the one" else [])


def test_secret_gone() -> None:
    """That a Secret is gone, or has lost its label, concerns those that name it."""
    details = {"target": "nginx", "username": "ci", "tokenFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}
    using = image_source({"origin": {"type": "docker-hub", "details": details}})
    there, ordered = handlers(), list[Any]()
    there.cache.put(using)
    there.sources.add = lambda key, *_: ordered.append(key)  # type: ignore[method-assign]
    metadata = {"namespace": "shop", "name": "login", "uid": "u", "resourceVersion": "1"}
    there.secret_seen(metadata, gone=True)
    assert ordered == []
    there.secret_seen(metadata | {"labels": {CREDENTIALS_LABEL: "true"}}, gone=False)
    there.secret_seen(metadata, gone=False)
    assert ordered == [using.key] * 2
