"""The brake stops at its limit whatever happens to the operator or to the Hub's Secret meanwhile."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.platform import API_KEY, SOURCES, secret
from tests.support.proxy import Call, Fault
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

Json = dict[str, Any]

NAMES = [f"many-{number}" for number in range(8)]
MOST = 4


@pytest.fixture
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Eight sources, and a Hub whose brake allows four."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("brake")) as found:
        (_, hub) = found.platform.hub(found.calls.url, brake={"minimum": MOST, "percent": 1, "window": "10m"})
        found.kubectl.apply(hub, *(source(name) for name in NAMES))
        found.operator.start()
        found.kubectl("wait", "imagesources", *NAMES, "--for=condition=Ready", "--timeout=30s")
        yield found
        found.operator.stop()


def deleted(stage: Scene) -> set[str]:
    """The sources whose deletion has been asked for."""
    return {call.path for call in stage.calls.calls if call.method == "DELETE" and call.path.startswith(SOURCES)}


def test_crashes(stage: Scene) -> None:
    """An operator that is killed with each deletion that it sends stops at the limit, as one does that is never killed.

    What it has noted ahead and not sent counts too, so that it may stop earlier, never later.
    """
    kills: list[str] = []

    def kill(call: Call) -> Fault | None:
        if call.method != "DELETE" or call.path in kills:
            return None
        kills.append(call.path)
        return Fault(then=stage.operator.kill)

    def is_braked() -> bool:
        found = stage.condition("default", resource="hub")
        return found is not None and found.reason == "Braked"

    stage.calls.rule = kill
    stage.kubectl("delete", "imagesources", *NAMES, "--wait=false")
    while not is_braked():
        wait_for(lambda: stage.operator.process.code is not None or is_braked(), what="a crash, or the brake")
        if stage.operator.process.code is not None:
            stage.operator.start(ready=False)
    assert 1 <= len(deleted(stage)) <= MOST
    wait_for(stage.operator.is_ready, what="the operator")
    token = stage.kubectl.get("hub", "default")["status"]["brake"]["token"]
    stage.calls.rule = None
    stage.kubectl.patch("hub", "default", {"spec": {"releaseBrake": token}})
    wait_for(lambda: not stage.kubectl.list("imagesources"), what="the rest to go")
    stage.operator.kill()
    stage.operator.start()
    stage.create("new")
    stage.edit("new", name="Edited")
    stage.ready("new")


def test_secret_gone_for_a_moment(stage: Scene) -> None:
    """A Secret that is missing for a moment does not let the brake begin anew."""
    stage.kubectl("delete", "imagesources", *NAMES[:3])
    stage.kubectl("delete", "secret", "default-key")
    stage.reason("default", "CredentialsMissing", resource="hub")
    stage.kubectl.apply(secret("default-key", apiKey=API_KEY))
    stage.reason("default", "Reachable", resource="hub")
    stage.kubectl("delete", "imagesources", *NAMES[3:], "--wait=false")
    stage.reason("default", "Braked", resource="hub")
    assert len(deleted(stage)) == MOST


def test_cannot_note(stage: Scene) -> None:
    """Where the count cannot be written down, nothing is deleted; an edit of the status by others changes nothing."""
    stage.kubectl("delete", "imagesources", NAMES[0])
    noted = stage.kubectl.get("hub", "default")["status"]["counted"]
    assert [entry["count"] for entry in noted.values()] == [1]
    stage.operator.stop()
    forged = {"status": {"counted": {name: entry | {"count": MOST} for name, entry in noted.items()}}}
    stage.kubectl("patch", "hub", "default", "--subresource=status", "--type=merge", f"--patch={json.dumps(forged)}")
    stage.operator.start()
    stage.kubectl("delete", "imagesources", NAMES[1], "--wait=false")
    stage.reason("default", "Braked", resource="hub")
    assert len(deleted(stage)) == 1
