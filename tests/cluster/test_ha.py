"""Two operators with one Lease: one works, the other takes over, and never is there a second source."""

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import Kubectl, Writes, new_namespace
from tests.support.platform import Platform
from tests.support.postgres import PostgresServer
from tests.support.process import OperatorProcess
from tests.support.proxy import Call, Fault, Proxy, apiserver_proxy, behind
from tests.support.scene import QUICK, Scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane
from imagesources.resources import API_VERSION

SECONDS = 10
"""Duration of the lease."""


@dataclass(frozen=True)
class Pair:
    """Two operators, each with a proxy of its own to the apiserver; the first one leads at the start."""

    scenes: tuple[Scene, Scene]

    @property
    def lease(self) -> dict[str, Any]:
        """What the Lease says."""
        return dict(self.scenes[0].kubectl.list("lease")[0]["spec"])

    def leads(self, scene: Scene) -> bool:
        """Whether an operator says that it works."""
        return "imagesource_leader 1.0" in scene.operator.metrics()

    def create(self, *names: str) -> None:
        """Applies sources without waiting."""
        self.scenes[0].kubectl.apply(*(source(name) for name in names))

    def check(self, *names: str) -> None:
        """Asserts that each resource has one source, the one in its status, and that there is no other."""
        for name in names:
            self.scenes[1].ready(name)
        there = self.scenes[0].platform.sources()
        assert sorted(each["id"] for each in there) == sorted(self.scenes[0].id_of(name) for name in names)
        assert sorted(each["identifier"] for each in there) == sorted(names)


@pytest.fixture
def pair(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Pair]:
    """Both run; the first one leads."""
    namespace = new_namespace(control_plane.cluster)
    kubectl = Kubectl(control_plane.cluster, namespace)
    with ExitStack() as stack:
        platform = stack.enter_context(Platform(tmp_path, "--step-seconds=0.02"))
        calls = stack.enter_context(Proxy(platform.url))
        kubectl.apply(*platform.hub(calls.url))
        scenes = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            api = stack.enter_context(apiserver_proxy(control_plane.cluster))
            operator = OperatorProcess(
                behind(api, control_plane.cluster, folder), folder, "--namespace", namespace,
                "--operator-namespace", namespace, f"--allow-host={calls.url.removeprefix('http://')}",
                "--leader-elect", f"--lease-seconds={SECONDS}", *QUICK,
            )  # fmt: skip
            stack.callback(operator.close)
            operator.database = ""
            operator.start()
            scenes.append(Scene(kubectl, Writes(control_plane.cluster, namespace), platform, calls, operator, api))
            wait_for(lambda: kubectl.list("lease"), what="a lease")
        pair = Pair((scenes[0], scenes[1]))
        wait_for(lambda: pair.leads(pair.scenes[0]), what="the first to lead")
        yield pair


def test_one_works(pair: Pair) -> None:
    """The second is ready, reads all and writes nothing; a graceful stop of the first lets it begin at once."""
    first, second = pair.scenes
    pair.create("one")
    pair.check("one")
    assert pair.leads(first)
    assert not pair.leads(second)
    assert second.operator.answers("/readyz") and second.operator.answers("/livez")
    assert second.api and not [call for call in second.api.calls if call.is_write]
    assert "this operator stands by" in second.operator.log.read_text()
    begun = time.monotonic()
    first.operator.process.send(signal.SIGTERM)
    wait_for(lambda: pair.leads(second), what="the second to lead")
    print(f"graceful takeover after {time.monotonic() - begun:.2f} s")
    assert first.operator.process.wait(15) == 0
    assert "released the lease" in first.operator.log.read_text()
    pair.create("two")
    pair.check("one", "two")


def test_stop_amid_creates(pair: Pair) -> None:
    """A leader that is told to stop while it creates leaves nothing half done that the other would do twice."""
    first, second = pair.scenes
    names = [f"many-{number}" for number in range(25)]
    pair.create(*names)
    wait_for(lambda: len(first.platform.sources()) > 3, what="some creates")
    first.operator.stop()
    wait_for(lambda: pair.leads(second), what="the second to lead")
    pair.check(*names)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_kill_at_a_write(pair: Pair, after: bool) -> None:
    """A kill -9 of the leader at its POST, served or not: the other takes over when the lease has run out."""
    first, second = pair.scenes
    killed: list[str] = []

    def kill(call: Call) -> Fault | None:
        if call.method != "POST" or killed:
            return None
        killed.append(str(call))
        if after:
            return Fault(then=first.operator.kill, reset=True)
        first.operator.kill()
        return Fault(forward=False, reset=True)

    first.calls.rule = kill
    pair.create("one", "two")
    wait_for(lambda: killed, what="the first POST")
    wait_for(lambda: pair.leads(second), what="the second to lead")
    pair.check("one", "two")
    assert pair.lease["leaseTransitions"] == 1


def test_paused_leader(pair: Pair) -> None:
    """A leader that is stopped for longer than its lease writes nothing when it goes on, and ends."""
    first, second = pair.scenes
    held: list[Call] = []

    def hold(call: Call) -> Fault | None:
        """Freezes the leader at its POST, which the platform gets only after the takeover."""
        if call.method != "POST" or held:
            return None
        held.append(call)
        first.operator.process.send(signal.SIGSTOP)
        return Fault(delay=2.5 * SECONDS)

    first.calls.rule = hold
    pair.create("one", "two", "three")
    wait_for(lambda: pair.leads(second), what="the second to lead")
    pair.create("four")
    for name in ("one", "two", "three", "four"):
        second.ready(name)
    assert first.api
    before = len(first.api.calls)
    newest = max(int(each["metadata"]["resourceVersion"]) for each in first.kubectl.list("imagesource"))
    first.operator.process.send(signal.SIGCONT)
    wait_for(lambda: first.operator.process.code is not None, what="the old leader to end")
    assert first.operator.process.code == 1
    begun_before = [call.json["metadata"]["resourceVersion"] for call in first.api.calls[before:] if call.is_write]
    assert all(int(version) < newest for version in begun_before), "what was begun before the pause is refused"
    assert len(begun_before) <= 3
    wait_for(lambda: len(first.platform.sources()) == 4, what="the late POST to be made up for")
    pair.check("one", "two", "three", "four")
    first.operator.start()
    assert not pair.leads(first)


def test_leader_cut_off(pair: Pair) -> None:
    """A leader that cannot reach the apiserver stops before another begins; started again, it stands by."""
    first, second = pair.scenes
    pair.create("one")
    pair.check("one")
    assert first.api
    first.api.cut()
    pair.create("two")
    wait_for(lambda: first.operator.process.code is not None, what="the first to end")
    assert first.operator.process.code == 1
    wait_for(lambda: pair.leads(second), what="the second to lead")
    pair.check("one", "two")
    first.api.mend()
    first.operator.start()
    assert not pair.leads(first)


def test_no_sqlite(pair: Pair) -> None:
    """An SQLite file is not for several operators, and the refusal says what to do."""
    first, _ = pair.scenes
    first.operator.start("--embedded-database=sqlite:///x.db", ready=False)
    wait_for(lambda: first.operator.process.code is not None, what="the refusal")
    assert first.operator.process.code == 2
    assert "use PostgreSQL" in first.operator.process.tail(5)


def test_embedded_platform_on_postgresql(
    kubectl: Kubectl, another_operator: Callable[..., OperatorProcess], namespace: str
) -> None:
    """Two operators share an embedded platform on PostgreSQL: the second goes on with the sources of the first."""
    kubectl.apply({"apiVersion": API_VERSION, "kind": "Hub", "metadata": {"name": "default"}, "spec": {"embedded": {}}})
    with PostgresServer() as server:
        database, flags = server.url(server.create()), ("--namespace", namespace, "--operator-namespace", namespace)
        first, second = (another_operator(name, *flags, "--leader-elect", *QUICK) for name in ("first", "second"))
        for operator in (first, second):
            operator.database = database
            operator.start()
        kubectl.apply(source("shared"))
        kubectl("wait", "imagesource/shared", "--for=condition=Ready", "--timeout=60s")
        before = kubectl.get("imagesource", "shared")["status"]["id"]
        leader, other = (first, second) if "imagesource_leader 1.0" in first.metrics() else (second, first)
        leader.stop()
        wait_for(lambda: "imagesource_leader 1.0" in other.metrics(), what="the other to lead")
        kubectl.patch("imagesource", "shared", {"spec": {"name": "Second"}})
        wait_for(lambda: _ready_at(kubectl.get("imagesource", "shared")) == 2, what="the edit")
        assert kubectl.get("imagesource", "shared")["status"]["id"] == before
        other.stop()


def test_alive_while_the_database_is_migrated(operator: OperatorProcess, tmp_path: Path) -> None:
    """An operator that waits for its database, as for a long migration, is alive and not ready: nothing restarts it."""
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        operator.start(f"--embedded-database=sqlite:///{path}", ready=False)
        wait_for(lambda: operator.answers("/livez"), what="it to be alive")
        assert not operator.answers("/readyz")
        holder.execute("ROLLBACK")
    wait_for(operator.is_ready, what="it to be ready")
    operator.stop()


def _ready_at(resource: dict[str, Any]) -> int:
    """The generation at which a resource is Ready; 0: it is not."""
    return max(
        (
            c["observedGeneration"]
            for c in resource["status"]["conditions"]
            if (c["type"], c["status"]) == ("Ready", "True")
        ),
        default=0,
    )
