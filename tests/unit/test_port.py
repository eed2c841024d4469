"""Writes to the apiserver: only onto the very state that was read, and only what is ours."""

from typing import Any

import pytest
from tests.support.builders import PIN, image_source, secret
from tests.support.scripted import OneResourceApi

from imagesources.kube.cache import Cache
from imagesources.kube.port import KubernetesPort
from imagesources.reconcile.ports import Conflict, KubernetesError, Secret
from imagesources.resources import FINALIZER
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]


class Scene:
    """A port whose cache knows one resource, and an apiserver that has it in another state by now."""

    def __init__(self, resource: ImageSource, live: ImageSource, *, conflicts: bool = False) -> None:
        self.api = OneResourceApi(_body(live), conflicts)
        self.cache = Cache()
        self.cache.put(resource)
        self.gone: list[Any] = []
        api: Any = self.api
        nobody: Any = None
        self.port = KubernetesPort(api, self.cache, nobody, self._dropped, lambda *_: None, lambda _: None)

    def _dropped(self, key: tuple[str, str]) -> None:
        self.gone.append(key)
        self.cache.drop(key)


def _body(resource: ImageSource) -> Json:
    return {
        "metadata": resource.metadata.to_json(),
        "spec": resource.spec.to_json(),
        "status": resource.status.to_json(),
    }


@pytest.mark.parametrize(
    ("known", "found", "then"),
    [
        pytest.param(None, secret({}, version="4"), ("secret-uid", "4"), id="the watch is late"),
        pytest.param(("secret-uid", "5"), secret({}, version="4"), ("secret-uid", "5"), id="the watch is ahead"),
        pytest.param(None, secret({}, labelled=False), None, id="not labelled"),
        pytest.param(None, None, None, id="there is none"),
    ],
)
async def test_read_secret(known: tuple[str, str] | None, found: Secret | None, then: tuple[str, str] | None) -> None:
    """A Secret that was read is known from then on, unless the watch has told more."""
    scene = Scene(image_source(), image_source())
    scene.api.secret = found
    if known:
        scene.cache.secrets["shop", "login"] = known
    assert await scene.port.read_secret("shop", "login") is found
    assert scene.port.secret_version("shop", "login") == then


async def test_compare_and_swap() -> None:
    """Every write names uid and resourceVersion of what was read; the apiserver refuses it for any other."""
    read = image_source(resourceVersion="7", finalizers=[FINALIZER])
    scene = Scene(read, image_source(resourceVersion="8"))
    await scene.port.intend(read, PIN)
    await scene.port.release(read)
    await scene.port.save_status(read, read.status.model_copy(update={"state": "live"}))
    seen = [(patch["metadata"]["uid"], patch["metadata"]["resourceVersion"]) for patch in scene.api.patches]
    assert seen == [(read.metadata.uid, "7")] * 3
    assert [patch["to"] for patch in scene.api.patches] == ["metadata", "metadata", "status"]


async def test_conflict() -> None:
    """After a conflict the live state is known, so that the next pass does not meet the same."""
    read, live = image_source(resourceVersion="7"), image_source(resourceVersion="9")
    scene = Scene(read, live, conflicts=True)
    with pytest.raises(Conflict):
        await scene.port.intend(read, PIN)
    assert scene.cache.resources[read.key].metadata.resource_version == "9"


@pytest.mark.parametrize(
    ("live", "same"),
    [
        pytest.param({"resourceVersion": "9"}, True, id="only its status was written"),
        pytest.param({"resourceVersion": "9", "generation": 2}, False, id="edited"),
        pytest.param({"resourceVersion": "9", "uid": "another"}, False, id="a successor"),
    ],
)
async def test_confirm(live: Json, same: bool) -> None:
    """A live read tells whether a resource is still the one that is known, and is known from then on."""
    read = image_source(resourceVersion="7")
    scene = Scene(read, image_source(**live))
    if same:
        await scene.port.confirm(read)
    else:
        with pytest.raises(Conflict):
            await scene.port.confirm(read)
    assert scene.cache.resources[read.key].metadata.resource_version == "9"


@pytest.mark.parametrize("uid", [image_source().metadata.uid, "predecessor"], ids=["the same", "a predecessor"])
async def test_old_state(uid: str) -> None:
    """A read that shows less than is known counts for nothing, whoever it speaks of."""
    read = image_source(resourceVersion="7")
    scene = Scene(read, image_source(resourceVersion="6", uid=uid), conflicts=True)
    with pytest.raises(KubernetesError, match="old state"):
        await scene.port.intend(read, PIN)
    with pytest.raises(KubernetesError, match="old state"):
        await scene.port.confirm(read)
    assert (scene.gone, scene.cache.resources[read.key]) == ([], read)


async def test_conflict_with_a_successor() -> None:
    """Where the name belongs to another resource by now, what was read counts as gone."""
    read, live = image_source(resourceVersion="7"), image_source(resourceVersion="9", uid="another")
    scene = Scene(read, live, conflicts=True)
    with pytest.raises(Conflict):
        await scene.port.intend(read, PIN)
    assert scene.gone == [read.key]
    assert scene.cache.resources[read.key].metadata.uid == "another"


async def test_release() -> None:
    """Only our finalizer is taken away."""
    read = image_source(finalizers=["theirs", FINALIZER, "another's"])
    scene = Scene(read, read)
    await scene.port.release(read)
    assert scene.api.patches[0]["metadata"]["finalizers"] == ["theirs", "another's"]


async def test_intend() -> None:
    """Our finalizer is put beside those of others, once."""
    read = image_source(finalizers=["theirs"])
    scene = Scene(read, read)
    await scene.port.intend(read, PIN)
    assert scene.api.patches[0]["metadata"]["finalizers"] == ["theirs", FINALIZER]


async def test_nothing_to_write() -> None:
    """A status that says nothing new is not written."""
    read = image_source()
    scene = Scene(read, read)
    await scene.port.save_status(read, read.status)
    assert scene.api.patches == []
