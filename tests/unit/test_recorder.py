"""Events are written in the background, and nothing that happens to one costs those that follow."""

import asyncio
from typing import Any

import pytest
from tests.support.builders import cluster_hub_resource, hub_resource, image_source

from imagesources.kube.recorder import Recorder
from imagesources.reconcile.ports import Happening, KubernetesError
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]


class Api:
    """An apiserver to which the first Events cannot be written."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.events = list(failures), list[tuple[str, Json]]()

    async def create_event(self, namespace: str, body: Json) -> None:
        """See ``KubernetesApi``."""
        if self.failures:
            raise self.failures.pop(0)
        self.events.append((namespace, body))


async def told(api: Any, *happenings: tuple[ImageSource | Hub, str]) -> list[tuple[str, Json]]:
    """Records Events with these notes, and returns what is written: namespace and body."""
    recorder = Recorder(api)
    for resource, note in happenings:
        recorder.tell(resource, Happening("Updated", "Update", note))
    running = asyncio.create_task(recorder.run())
    await recorder.flush(5.0)
    running.cancel()
    found: list[tuple[str, Json]] = api.events
    return found


@pytest.mark.parametrize(
    "failure", [KubernetesError("403 Forbidden"), ValueError("a defect")], ids=["refused", "defect"]
)
async def test_one_that_fails(failure: Exception) -> None:
    """An Event that cannot be written is left out."""
    resource = image_source()
    found = await told(Api(failure), (resource, "first"), (resource, "second"))
    assert [body["note"] for _, body in found] == ["second"]


@pytest.mark.parametrize(
    ("resource", "where", "about"),
    [
        pytest.param(image_source(), "shop", ("ImageSource", "web", "shop"), id="ImageSource"),
        pytest.param(hub_resource(), "shop", ("Hub", "default", "shop"), id="Hub"),
        pytest.param(cluster_hub_resource(), "default", ("ClusterHub", "default", None), id="ClusterHub"),
    ],
)
async def test_about(resource: ImageSource | Hub, where: str, about: tuple[str, str, str | None]) -> None:
    """An Event is written beside what it is about; about what is in no namespace it is written to ``default``."""
    ((namespace, body),) = await told(Api(), (resource, "why"))
    named = body["regarding"]
    assert (namespace, body["metadata"]["namespace"]) == (where, where)
    assert (named["kind"], named["name"], named.get("namespace")) == about


async def test_in_order() -> None:
    """The names of Events are in the order in which they happened: so ``kubectl describe`` shows them."""
    written = await told(Api(), *[(image_source(), str(number)) for number in range(20)])
    names = [body["metadata"]["name"] for _, body in written]
    assert names == sorted(set(names))
    assert [body["note"] for _, body in written] == [str(number) for number in range(20)]
