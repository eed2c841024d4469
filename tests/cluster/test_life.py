"""The life of an ImageSource, from create to delete, against a platform that is as far away as the real one."""

from collections.abc import Iterator

import pytest
from tests.support.scene import Scene, scene

from imagesources.controlplane import ControlPlane


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One operator for all tests of this module."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("life")) as found:
        found.operator.start()
        yield found


def test_create(stage: Scene) -> None:
    """x."""
    stage.create("web", name="Web frontend")
    print(stage.kubectl("get", "imagesource", "web", "-o", "yaml"))
    print(stage.kubectl("describe", "imagesource", "web"))
    print(stage.kubectl("get", "hub", "-o", "yaml"))
    for w in stage.writes(): print(w, w.body)
    for w in stage.writes(resource="hubs"): print(w)
    for w in stage.calls.calls: print(w, w.body)
    stage.edit("web", origin={"details": {"target": "nginx:1.30"}})
    stage.ready("web")
    stage.delete("web")
    for w in stage.writes(): print(w, w.body)
    for w in stage.calls.calls: print(w, w.body)
    print(stage.platform("GET", "/v1/images/sources"))
    print(stage.operator.log.read_text())
    stage.operator.stop()
    assert 0
