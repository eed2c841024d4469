"""Many sources: a stop in the middle of work, a restart, and doing nothing when there is nothing to do."""

import signal
import time
from collections.abc import Iterator

import pytest
from tests.support.scene import Scene, is_list, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

MANY = 120
PAGES = 2
"""Pages of 100 that so many sources take."""


@pytest.fixture(scope="module")
def crowd(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A namespace with many new ImageSources and no operator yet."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("many")) as found:
        found.kubectl.apply(*(source(f"many-{number:03}", name=f"Many {number}") for number in range(MANY)))
        yield found


def _ready(stage: Scene) -> int:
    found = stage.kubectl.list("imagesources")
    conditions = [each for source in found for each in source.get("status", {}).get("conditions", [])]
    return sum(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_stop_under_load(crowd: Scene) -> None:
    """SIGTERM and Ctrl-C end the operator in time in the middle of creating, and nothing is lost or made twice."""
    for stop, count in ((signal.SIGTERM, 10), (signal.SIGINT, 25), (signal.SIGTERM, 45), (signal.SIGTERM, 70)):
        crowd.operator.start()
        wait_for(lambda count=count: crowd.calls.count("POST") > count, what=f"{count} creates")
        begun = time.monotonic()
        crowd.operator.process.send(stop)
        assert crowd.operator.process.wait(10) == 0
        assert time.monotonic() - begun < 5
    assert crowd.calls.count("POST") < MANY, "the load was over before the last stop"
    crowd.operator.start()
    wait_for(lambda: _ready(crowd) == MANY, timeout=60, what="all to be Ready")
    assert sorted(each["name"] for each in crowd.platform.sources()) == sorted(f"Many {n}" for n in range(MANY))
    crowd.operator.stop()


def test_restart_is_free(crowd: Scene) -> None:
    """A restart with all sources settled is one inventory, and no write to any ImageSource."""
    writes, calls = len(crowd.writes()), len(crowd.calls.calls)
    crowd.operator.start()
    wait_for(lambda: len(crowd.calls.calls) >= calls + PAGES, what="the inventory")
    time.sleep(0.5)
    made = crowd.calls.calls[calls:]
    assert [str(call) for call in made if not is_list(call)] == []
    assert len(made) <= 2 * PAGES
    assert len(crowd.writes()) == writes


def test_steady_state(crowd: Scene) -> None:
    """Settled sources cost the pages of a list for each interval, whatever their number, and nothing else."""
    writes, hubs, calls = len(crowd.writes()), len(crowd.writes(resource="hubs")), len(crowd.calls.calls)
    wait_for(lambda: len(crowd.calls.calls) >= calls + 4 * PAGES, what="four inventories")
    begun, lists = time.monotonic(), len(crowd.calls.calls)
    wait_for(lambda: len(crowd.calls.calls) >= lists + 4 * PAGES, what="four more")
    assert time.monotonic() - begun > 3.5
    assert [str(call) for call in crowd.calls.calls[calls:] if not is_list(call)] == []
    assert len(crowd.writes()) == writes
    assert len(crowd.writes(resource="hubs")) <= hubs + 1
    events = crowd.writes(resource="events")
    assert len(events) <= 2 * MANY


def test_delete_of_many(crowd: Scene) -> None:
    """Many are deleted at once, each by one DELETE; the others stay."""
    gone = [f"many-{number:03}" for number in range(30)]
    crowd.kubectl("delete", "imagesources", *gone, "--timeout=60s")
    assert len(crowd.platform.sources()) == MANY - len(gone)
    assert crowd.calls.count("DELETE") == len(gone)
    crowd.operator.stop()
