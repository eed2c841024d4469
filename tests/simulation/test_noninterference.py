"""Runs that differ only in the values of Secrets say the same: in status, Events, logs and metrics."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.simulation.cluster import SECRETS, SOURCES, Change
from tests.simulation.people import act
from tests.simulation.platform import Platform
from tests.simulation.play import in_virtual_time
from tests.simulation.process import OperatorProcess
from tests.simulation.schedule import Schedule
from tests.simulation.values import Json, merged
from tests.simulation.world import World

from imagesources.kube.recorder import Recorder
from imagesources.reconcile.ports import Happening
from imagesources.resources.imagesource import ImageSource

SEEDS = range(40)
_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Listener(logging.Handler):
    """Keeps what is logged, with its fields and tracebacks."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        fields = {name: str(value) for name, value in vars(record).items() if name not in _PLAIN}
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        self._said.append(f"log {record.levelname} {record.getMessage()} {fields} {trace}")


class Sturdy(OperatorProcess):
    """An operator whose defects are logged, as they are outside of the simulator."""

    def failed(self, error: BaseException) -> None:
        """See ``Process``."""


class Telltale(World):
    """A world in which each origin has a credential, and the platform repeats it wherever it speaks of an error."""

    def __init__(self, schedule: Schedule, token: str, said: list[str]) -> None:
        super().__init__(schedule)
        self._token = token
        self._said = said
        self.server.on_change = self._changed
        self.server.create = _with_credentials(self.server.create)
        self.server.edit = _with_credentials(self.server.edit)
        platform, get, listed, job = self.platform, self.platform.get, self.platform.list, self.platform.job
        platform.get = lambda *which: self._failed(get(*which))
        platform.list = lambda *hub: list(map(self._failed, listed(*hub)))
        platform.job = lambda job_id: self._failed(job(job_id))

    def furnish(self) -> None:
        """See ``World``."""
        super().furnish()
        self.server.create(SECRETS, "login", data={"token": self._token})

    def make_process(self) -> OperatorProcess:
        """See ``World``."""
        return Sturdy(self.started, self)

    def _failed(self, answer: Json) -> Json:
        error = {"message": f"pull failed: {self._token}", "time": "2026-01-01T00:00:00Z"}
        return merged(answer, {"state": {"error": error}})

    def _changed(self, change: Change, old: Json | None) -> None:
        self.judge.changed(change, old)
        if change.plural != SECRETS:
            self._said.append(f"{change.kind} {json.dumps([change.body['status'], change.body['metadata']])}")

    async def run(self) -> None:
        """Let people and faults do their worst, and a while go by."""
        self.start()
        await act(self)
        await asyncio.sleep(900)
        self.schedule.faults_left = 0
        await asyncio.sleep(900)
        for process in self.processes:
            process.kill()


def _with_credentials(write: Callable[..., Json]) -> Callable[..., Json]:
    reference = {"username": "ci", "tokenFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}

    def wrapped(plural: str, name: str, **content: Any) -> Json:
        if plural == SOURCES:
            content = merged(content, {"spec": {"origin": {"details": reference}}})
        return write(plural, name, **content)

    return wrapped


def outputs(seed: int, token: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run one schedule, and return everything that a person could see of it."""
    said: list[str] = []

    def tell(_recorder: Recorder, resource: ImageSource, happening: Happening) -> None:
        said.append(f"event {resource.metadata.name} {happening}")

    monkeypatch.setattr("tests.simulation.process._Silent.tell", tell)
    monkeypatch.setattr("tests.simulation.judge.must", lambda *_: None)  # the judge knows of no credentials
    logger, listener, before = logging.getLogger("imagesources"), Listener(said), _metrics()
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    try:
        in_virtual_time(Telltale(Schedule(seed), token, said).run())
    finally:
        logger.removeHandler(listener)
        logger.setLevel(logging.NOTSET)
    after = _metrics()
    return said + [f"metric {name} {after[name] - before.get(name, 0):.6f}" for name in sorted(after)]


def _metrics() -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name.startswith("imagesource") and not sample.name.endswith("_created")
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_secrets_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another value, of the same length or of another, changes no word."""
    first = outputs(seed, "canary-one", monkeypatch)
    assert [line for line in first if "canary" in line] == []
    assert first == outputs(seed, "canary-two", monkeypatch) == outputs(seed, "c" * 5000, monkeypatch)


def test_defect_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in the middle of a create is logged with its traceback, and without what was being sent."""

    def create(_platform: Platform, body: Json, **_more: str) -> Json:
        parts: Any = [body]
        return {"id": parts["id"]}

    monkeypatch.setattr(Platform, "create", create)
    said = outputs(3, "canary-one", monkeypatch)
    assert [line for line in said if "list indices must be integers" in line and "create_source" in line]
    assert [line for line in said if "canary" in line] == []


def test_a_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that shows what the platform says of errors is caught by it."""
    monkeypatch.setattr("imagesources.reconcile.status._words", lambda text, **_hidden: text)
    runs = [[outputs(seed, token, monkeypatch) for token in ("canary-one", "canary-two")] for seed in range(4)]
    assert [first for first, second in runs if first != second]
