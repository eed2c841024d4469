"""An object that no CRD of today admits: it is named, and stands in nobody's way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.builders import hub_resource, image_source
from tests.support.clock import in_virtual_time

from imagesources.hubs.directory import HubDirectory
from imagesources.kube.cache import Cache
from imagesources.kube.core import Core
from imagesources.kube.doctor import _sources
from imagesources.kube.hubs import HubController
from imagesources.kube.port import KubernetesPort
from imagesources.kube.recorder import Recorder
from imagesources.kube.uninstall import Leaving
from imagesources.reconcile.ports import KubernetesError
from imagesources.resources import HUB_FINALIZER
from imagesources.resources.base import UnreadableError
from imagesources.settings import Settings

Json = dict[str, Any]
KEY = ("Hub", "shop", "default")
GOOD = image_source().to_json()
BAD = image_source(name="old", uid="old").to_json() | {"spec": {"type": "direct", "origin": {"type": "floppy"}}}
SAYS = "ImageSource shop/old cannot be read; correct spec.origin.type"


class Api:
    """An apiserver that holds a good ImageSource and a bad one; nothing may be written."""

    async def list(self, plural: str, _namespace: str | None = None) -> AsyncIterator[Json]:
        """See ``KubernetesApi``."""
        for body in (GOOD, BAD) if plural == "imagesources" else ():
            yield body

    async def get(self, *_about: str) -> Json:
        """See ``KubernetesApi``."""
        return BAD


API: Any = Api()


async def test_doctor() -> None:
    """The doctor says which object it is, and looks at the others."""
    found = [finding.message for finding in await _sources(API, Settings())]
    assert found[0] == SAYS
    assert found[1].startswith("ImageSources: 1 ")


async def test_uninstall() -> None:
    """Nobody can tell whether it waits for the operator."""
    with pytest.raises(UnreadableError, match=SAYS):
        await Leaving(API).waiting()


async def test_hub_is_held(caplog: pytest.LogCaptureFixture) -> None:
    """A Hub that it may belong to keeps its finalizer."""
    held = hub_resource()
    deleting = {"finalizers": (HUB_FINALIZER,), "deletion_timestamp": held.metadata.creation_timestamp}
    held = held.model_copy(update={"metadata": held.metadata.model_copy(update=deleting)})
    directory = HubDirectory(clusterwide=False, on_change=lambda *_: None)
    controller = HubController(API, Cache(), directory, Settings(), None, keeps=lambda: False)
    controller.seen(KEY, held)
    await controller.reconcile(KEY)
    await controller._hold(KEY, held)  # a write would fail: there is no such method
    assert SAYS in caplog.text


async def test_write_onto_it() -> None:
    """A write that finds it so fails like any other, to be tried again later."""
    anything: Any = None
    port = KubernetesPort(API, Cache(), anything, anything, anything, anything)
    with pytest.raises(KubernetesError, match=SAYS):
        await port._refresh(image_source())


def test_start_outlives_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    """A hub that cannot be looked after, by a defect, does not keep the sources of others waiting."""

    async def begun() -> bool:
        core = Core(API, Settings(), Recorder(API))
        core.hubs.hubs["ClusterHub", "", "broken"] = object()  # type: ignore[assignment]
        await core.begin()
        return core.sources.is_open

    assert in_virtual_time(begun())
    assert "AttributeError" in caplog.text
