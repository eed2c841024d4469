"""The brake stops at its limit whatever happens to the operator or to the Hub meanwhile."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.platform import API_KEY, SOURCES, secret
from tests.support.proxy import Call, Fault, refusal
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

Json = dict[str, Any]

MOST = 3


@dataclass(frozen=True)
class Braking:
    """A Hub with a brake that allows three, and twice as many sources."""

    scene: Scene
    hub: str
    begun: int

    @property
    def sources(self) -> list[str]:
        """Their names."""
        return [f"{self.hub}-{number}" for number in range(2 * MOST)]

    @property
    def status(self) -> Json:
        """The status of the Hub."""
        return dict(self.scene.kubectl.get("hub", self.hub)["status"])

    def delete(self, *names: str, wait: bool = False) -> None:
        """Deletes ImageSources."""
        self.scene.kubectl("delete", "imagesources", *names, f"--wait={str(wait).lower()}")

    def deleted(self) -> set[str]:
        """The sources whose deletion has been asked for."""
        calls = self.scene.calls.calls[self.begun :]
        return {call.path for call in calls if call.method == "DELETE" and call.path.startswith(SOURCES)}

    def is_braked(self) -> bool:
        """Whether the Hub says so now."""
        found = self.scene.condition(self.hub, resource="hub")
        return found is not None and found.reason == "Braked"


@pytest.fixture(scope="module")
def operating(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator that is killed, or stopped, and started again by these tests."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("brake"), proxied=True) as found:
        found.operator.start()
        yield found
        found.operator.stop()


@pytest.fixture
def stage(operating: Scene, request: pytest.FixtureRequest) -> Braking:
    """A Hub of the test's own; all lead to one platform."""
    found = Braking(
        operating, request.function.__name__.removeprefix("test_").replace("_", "-"), len(operating.calls.calls)
    )
    brake = {"minimum": MOST, "percent": 1, "window": "10m"}
    hub = operating.platform.hub(operating.calls.url, found.hub, brake=brake)
    operating.kubectl.apply(*hub, *(source(name, hubRef={"name": found.hub}) for name in found.sources))
    operating.kubectl("wait", "imagesources", *found.sources, "--for=condition=Ready", "--timeout=30s")
    return found


def test_crashes(stage: Braking) -> None:
    """An operator that is killed with each deletion that it sends stops at the limit, as one does that is never killed.

    What it has noted and not sent counts too, so that fewer may have been sent, never more.
    """
    operator, kills = stage.scene.operator, set[str]()

    def kill(call: Call) -> Fault | None:
        if call.method != "DELETE" or call.path in kills:
            return None
        kills.add(call.path)
        return Fault(then=operator.kill)

    stage.scene.calls.rule = kill
    stage.delete(*stage.sources)
    while not (stage.deleted() and stage.is_braked()):
        wait_for(lambda: operator.process.code is not None, what="a crash")
        operator.start(ready=False)
        wait_for(lambda: operator.process.code is not None or stage.is_braked(), what="a crash, or the brake")
    operator.kill()
    assert len(stage.deleted()) <= MOST
    operator.start()
    stage.scene.calls.rule = None
    stage.scene.kubectl.patch("hub", stage.hub, {"spec": {"releaseBrake": stage.status["brake"]["token"]}})
    stage.scene.kubectl("wait", "--for=delete", *(f"imagesource/{name}" for name in stage.sources), "--timeout=30s")
    operator.kill()
    operator.start()
    stage.scene.create("released", hubRef={"name": stage.hub})
    stage.scene.create("released", hubRef={"name": stage.hub}, name="Edited")


def test_same_source_again(stage: Braking) -> None:
    """A source that is edited before and after a crash counts once, so that the brake stops at its very limit."""
    first, second, *others = stage.sources
    for name in (first, second):
        stage.scene.create(name, hubRef={"name": stage.hub}, name="Edited")
    ids = {stage.scene.id_of(name) for name in (first, second)}
    (noted,) = stage.status["counted"].values()
    assert ({each["id"] for each in noted["sources"]}, noted["others"]) == (ids, 0)
    stage.scene.operator.kill()
    stage.scene.operator.start()
    for name in (first, second, others[0]):
        stage.scene.create(name, hubRef={"name": stage.hub}, name="Edited again")
    stage.scene.edit(others[1], name="Edited")
    stage.scene.reason(others[1], "Braked")


def test_secret_gone_for_a_moment(stage: Braking) -> None:
    """A Secret that is missing for a moment does not let the brake begin anew."""
    stage.delete(*stage.sources[:2], wait=True)
    stage.scene.kubectl("delete", "secret", f"{stage.hub}-key")
    stage.scene.reason(stage.hub, "CredentialsMissing", resource="hub")
    stage.scene.kubectl.apply(secret(f"{stage.hub}-key", apiKey=API_KEY))
    stage.scene.reason(stage.hub, "Reachable", resource="hub")
    stage.delete(*stage.sources[2:])
    stage.scene.reason(stage.hub, "Braked", resource="hub")
    assert len(stage.deleted()) == MOST


def test_cannot_note(stage: Braking) -> None:
    """Where it cannot be noted that a source is touched, nothing is deleted until it can."""
    assert stage.scene.api
    refused: list[Call] = []

    def refuse(call: Call) -> Fault | None:
        if call.method != "PATCH" or b'"counted"' not in call.body:
            return None
        refused.append(call)
        return refusal(500, "500.server")

    stage.scene.api.rule = refuse
    stage.delete(stage.sources[0])
    wait_for(lambda: len(refused) > 1, what="the operator to try")
    assert stage.deleted() == set()
    stage.scene.api.rule = None
    stage.scene.kubectl("wait", "--for=delete", f"imagesource/{stage.sources[0]}", "--timeout=30s")


def test_number(stage: Braking) -> None:
    """What is noted as a number alone counts after a restart too; so nobody lifts the brake by less than a release."""
    stage.delete(stage.sources[0], wait=True)
    ((shard, noted),) = stage.status["counted"].items()
    stage.scene.operator.stop()
    many = {"status": {"counted": {shard: noted | {"others": MOST - 1}}}}
    stage.scene.kubectl(
        "patch", "hub", stage.hub, "--subresource=status", "--type=merge", f"--patch={json.dumps(many)}"
    )
    stage.scene.operator.start()
    stage.delete(stage.sources[1])
    stage.scene.reason(stage.hub, "Braked", resource="hub")
    assert len(stage.deleted()) == 1
