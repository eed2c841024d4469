"""One operator and one platform for all tests that need no restart of either."""

from collections.abc import Iterator

import pytest
from tests.support.scene import Scene, scene

from imagesources.controlplane import ControlPlane


@pytest.fixture(scope="session")
def running(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A namespace whose operator runs all the time."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("running")) as found:
        found.operator.start()
        yield found
        found.operator.stop()


@pytest.fixture
def stage(running: Scene) -> Iterator[Scene]:
    """The same, with a proxy that lets everything pass again after the test."""
    yield running
    running.calls.rule = None
