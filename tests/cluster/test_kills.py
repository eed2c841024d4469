"""kill -9 of the operator exactly before and after each of its writes, and answers that are lost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.proxy import DROPPED, LOST, Call, Fault
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

ACL = {"roles": {"owner": {"view": True, "modify": True, "manage": True}}}


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator that a test kills and starts again; the next test uses the one that was started."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("kills"), proxied=True) as found:
        found.operator.start()
        yield found
        found.operator.stop()


@dataclass
class Killer:
    """Ends the operator at its n-th write, to the apiserver or to the platform, whichever comes.

    Attributes:
        at: which write, from 1.
        after: whether the write is served before the operator ends.
        seen: the writes so far.
    """

    stage: Scene
    at: int
    after: bool
    seen: list[str]

    def __call__(self, call: Call) -> Fault | None:
        """Judges one request; after the kill nothing passes any more."""
        if not call.is_write or "/events" in call.path or "/hubs/" in call.path:
            return None
        self.seen.append(str(call))
        if len(self.seen) < self.at:
            return None
        if len(self.seen) > self.at:
            return DROPPED
        if self.after:
            return Fault(then=self.stage.operator.kill, reset=True)
        self.stage.operator.kill()
        return DROPPED


def _sites(**counts: int) -> list[Any]:
    """Every write of every event, before and after it."""
    return [
        pytest.param(event, number, after, id=f"{event}-{number}-{'after' if after else 'before'}")
        for event, count in counts.items()
        for number in range(1, count + 1)
        for after in (False, True)
    ]


def _begin(stage: Scene, event: str, name: str) -> Callable[[], object]:
    """Brings a source to where an event can happen, and returns what makes it happen."""
    if event == "create":
        return lambda: stage.kubectl.apply(source(name, acl=ACL))
    stage.create(name, name="Before")
    return {
        "update": lambda: stage.edit(name, name="After"),
        "access": lambda: stage.edit(name, acl=ACL),
        "delete": lambda: stage.kubectl("delete", "imagesource", name, "--wait=false"),
    }[event]


def _kill(stage: Scene, killer: Killer, happen: Callable[[], object]) -> None:
    """Lets something happen, waits for the operator's end by the killer, and starts it again."""
    assert stage.api
    stage.calls.rule = stage.api.rule = killer
    happen()
    wait_for(lambda: stage.operator.process.code is not None, what=f"write {killer.at}, after {killer.seen}")
    stage.calls.rule = stage.api.rule = None
    stage.operator.start()


def _is_gone(stage: Scene, name: str) -> bool:
    return name not in stage.kubectl("get", "imagesources", "--output=name")


@pytest.mark.parametrize(("event", "number", "after"), _sites(create=5, update=2, access=2, delete=4))
def test_kill(stage: Scene, request: pytest.FixtureRequest, event: str, number: int, after: bool) -> None:
    """Whenever the operator ends, one source per resource is left once it has started again, or none after a delete."""
    name = request.node.callspec.id
    happen = _begin(stage, event, name)
    before = {each["id"] for each in stage.platform.sources()} - ({stage.id_of(name)} if event != "create" else set())
    _kill(stage, Killer(stage, number, after, []), happen)
    if event == "delete":
        wait_for(lambda: _is_gone(stage, name), what="the resource to go")
        assert {each["id"] for each in stage.platform.sources()} == before
        return
    stage.ready(name)
    (own,) = [each for each in stage.platform.sources() if each["id"] not in before]
    assert own["id"] == stage.id_of(name)
    assert own["identifier"] == stage.status(name)["identifier"] == ("before" if event != "create" else name)
    assert own["name"] == {"create": name, "update": "After", "access": "Before"}[event]
    assert own["acl"] == (None if event == "update" else ACL)


def test_every_write_is_a_site(stage: Scene) -> None:
    """The events have as many writes as are killed at, so that none is left out."""
    for event, count in {"create": 5, "update": 2, "access": 2, "delete": 4}.items():
        name = f"sites-{event}"
        happen = _begin(stage, event, name)
        nobody = Killer(stage, 1000, after=False, seen=[])
        assert stage.api
        stage.calls.rule = stage.api.rule = nobody
        happen()
        if event == "delete":
            wait_for(lambda name=name: _is_gone(stage, name), what="the end")
        else:
            stage.ready(name)
        stage.calls.rule = stage.api.rule = None
        assert len(nobody.seen) == count, nobody.seen


@pytest.mark.parametrize("fault", [LOST, DROPPED], ids=["served", "not served"])
@pytest.mark.parametrize("event", ["create", "update", "access", "delete"])
def test_every_answer_is_lost_once(stage: Scene, request: pytest.FixtureRequest, event: str, fault: Fault) -> None:
    """A write whose answer never comes, applied or not, makes no duplicate and stops nothing."""
    name = request.node.callspec.id.replace(" ", "-")
    happen = _begin(stage, event, name)
    before = {each["id"] for each in stage.platform.sources()} - ({stage.id_of(name)} if event != "create" else set())
    lost: set[str] = set()

    def lose(call: Call) -> Fault | None:
        if not call.is_write or "/events" in call.path or "/hubs/" in call.path or str(call) in lost:
            return None
        lost.add(str(call))
        return fault

    assert stage.api
    stage.calls.rule = stage.api.rule = lose
    happen()
    if event == "delete":
        wait_for(lambda: _is_gone(stage, name), timeout=30, what="the resource to go")
    else:
        stage.ready(name, timeout=30)
    stage.calls.rule = stage.api.rule = None
    own = [each["id"] for each in stage.platform.sources() if each["id"] not in before]
    assert own == ([] if event == "delete" else [stage.id_of(name)])
