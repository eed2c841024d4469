"""What the watch says about resources that are gone."""

from typing import Any

import pytest
from tests.support.builders import image_source

from imagesources.hubs.directory import HubDirectory
from imagesources.kube.cache import Cache
from imagesources.kube.handlers import Handlers
from imagesources.kube.hubs import HubController
from imagesources.reconcile import Engine
from imagesources.reconcile.engine import Next
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings


async def _rest(_key: object) -> Next:
    return Next()


def handlers(*known: ImageSource) -> Handlers:
    """Returns handlers with a cache and an engine that know these resources; nothing that they order is done."""
    cache, nobody = Cache(), None
    for resource in known:
        cache.put(resource)
    api: Any = nobody
    directory = HubDirectory(clusterwide=False, on_change=lambda *_: None)
    engine = Engine(api, directory, Settings())
    controller = HubController(api, cache, directory, Settings(), None)
    queues = [WorkQueue(_rest, lambda key: key, 1, is_open=False) for _ in range(2)]
    return Handlers(cache, engine, controller, *queues)


@pytest.mark.parametrize(
    ("known", "left"),
    [
        pytest.param("the one", {"another"}, id="as it was known"),
        pytest.param("its successor", {"another"}, id="its name is another's by now"),
    ],
)
async def test_source_deleted(known: str, left: set[str]) -> None:
    """Nothing is remembered of a resource that is gone, and its successor of the same name stays known."""
    there = handlers(image_source(uid=known))
    there.engine.memories |= {"the one": Memory(attempted=0.0), "another": Memory(attempted=0.0)}
    there.source_deleted({"metadata": image_source(uid="the one").metadata.to_json()})
    assert set(there.engine.memories) == left
    assert [r.metadata.uid for r in there.cache.resources.values()] == ([known] if known != "the one" else [])
