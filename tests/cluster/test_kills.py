"""Answers that are lost while the operator lives; what its own end leads to is in ``tests/kills``."""

from collections.abc import Callable, Iterator

import pytest
from tests.support.proxy import DROPPED, LOST, Call, Fault
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

ACL = {"roles": {"owner": {"view": True, "modify": True, "manage": True}}}


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator behind two proxies."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("kills"), proxied=True) as found:
        found.operator.start()
        yield found
        found.operator.stop()


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


def _is_gone(stage: Scene, name: str) -> bool:
    return name not in stage.kubectl("get", "imagesources", "--output=name")


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
