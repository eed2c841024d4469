"""Runs that differ only in the values of Secrets say the same: in status, Events, logs and metrics."""

import asyncio
import json
import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.museum.scenery.loop import VirtualLoop, settle
from tests.museum.scenery.people import act
from tests.museum.scenery.platform import Platform
from tests.museum.scenery.schedule import Schedule
from tests.museum.scenery.values import clone
from tests.museum.scenery.world import World

from imagesources.kube.recorder import Recorder
from imagesources.reconcile.ports import Happening, Secret
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]

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


class Telltale(World):
    """A world in which each origin has a credential, and the platform repeats it wherever it speaks of an error."""

    def __init__(self, schedule: Schedule, token: str, said: list[str]) -> None:
        super().__init__(schedule)
        self.said = said
        self.server.secrets["default", "login"] = Secret("uid", "7", labelled=True, type="", values={"token": token})
        self.server.on_status = lambda body: said.append(f"status {json.dumps([body['status'], body['metadata']])}")
        self.server.on_gone = lambda body: said.append(f"gone {body['metadata']['name']}")
        self.network.on_change = lambda: _repeat(self.platform, token)
        create = self.server.create

        def with_credential(name: str, spec: Json) -> Json:
            spec = clone(spec)
            reference = {"secretKeyRef": {"name": "login", "key": "token"}}
            spec["origin"]["details"] |= {"username": "ci", "tokenFrom": reference}
            return create(name, spec)

        self.server.create = with_credential

    async def run(self) -> None:
        """Let people and faults do their worst, and a while go by."""
        try:
            self.start()
            await act(self)
            await asyncio.sleep(900)
            self.schedule.faults_left = 0
            await asyncio.sleep(900)
        finally:
            for process in self.processes:
                process.kill()
            for task in self.network.late:
                task.cancel()


def _repeat(platform: Platform, token: str) -> None:
    for source in platform.sources.values():
        if "token" in source["origin"].get("details", {}):
            source["state"]["error"] = {"message": f"pull failed: {token}", "time": "2026-01-01T00:00:00Z"}
    for job in platform.jobs.values():
        job["state"]["error"] = {"message": token}


def outputs(seed: int, token: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run one schedule, and return everything that a person could see of it."""
    said: list[str] = []

    def tell(_recorder: Recorder, resource: ImageSource, happening: Happening) -> None:
        said.append(f"event {resource.metadata.name} {happening}")

    monkeypatch.setattr(Recorder, "tell", tell)
    logger, listener, before = logging.getLogger("imagesources"), Listener(said), _metrics()
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    loop = VirtualLoop()
    try:
        loop.run_until_complete(Telltale(Schedule(seed), token, said).run())
    finally:
        logger.removeHandler(listener)
        logger.setLevel(logging.NOTSET)
        loop.run_until_complete(settle())
        loop.close()
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
