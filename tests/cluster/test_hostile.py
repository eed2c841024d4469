"""The operator against platforms that lie, one lie about one call each: what it says, what it does, what it takes."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.apiserver import Api
from tests.support.gate import Gate
from tests.support.lies import CANARY
from tests.support.ordeal import Case, Ordeal, every_case
from tests.support.platform import Platform
from tests.support.process import OperatorProcess
from tests.support.scene import QUICK

from imagesources.controlplane import ControlPlane, free_ports

MOST_MEMORY = 256 * 1024
"""KiB that the operator's process may ever have had in memory beyond what it had before the first lie."""

CASES = every_case()


@dataclass
class Endured:
    """What came of all cases.

    Attributes:
        failures: by case; None: it was endured.
        before: KiB that the operator had in memory before the first lie.
        most: KiB that it ever had.
        shown: log, resources and Events, metrics.
    """

    failures: dict[Case, BaseException | None]
    before: int
    most: int
    shown: dict[str, str]
    astray: int


@pytest.fixture(scope="module")
def endured(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Endured]:
    """Lets one operator meet all cases that were selected, at once."""
    asked = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_case
    ]
    folder, port = tmp_path_factory.mktemp("hostile"), free_ports(1)[0]
    hubs = {case: f"{number:024x}" for number, case in enumerate(asked or CASES[:1], 1)}
    resources = Api.connect(control_plane.cluster.kubeconfig).within("hostile")
    flags = ("--namespace=hostile", f"--allow-host=127.0.0.1:{port}", "--debug", *QUICK)
    with (
        Platform(folder, "--step-seconds=0.02") as platform,
        OperatorProcess(control_plane.cluster, folder, *flags) as operator,
    ):
        platform.with_hubs(list(hubs.values()))
        operator.start()
        before, began = _memory(operator.process.pid, "VmRSS"), time.monotonic()
        host, upstream = platform.url.removeprefix("http://").split(":")
        gate = Gate((host, int(upstream)))
        ordeal = Ordeal(resources, platform, gate, f"http://127.0.0.1:{port}")
        failures = asyncio.run(_all(ordeal, hubs, port))
        shown = {
            "log": operator.log.read_text(),
            "resources": str([resources.list(plural) for plural in ("imagesources", "hubs")]),
            "events": str(resources.api.core.list_namespaced_event("hostile").to_dict()),
            "metrics": operator.metrics(),
        }
        found = Endured(failures, before, _memory(operator.process.pid, "VmHWM"), shown, gate.astray)
        operator.stop()
        yield found
    summary = f"{len(hubs)} hostile hubs at once, {gate.told.total()} lies, {sum(map(bool, failures.values()))} failed"
    memory = f"{found.most // 1024} MiB at most, {before // 1024} MiB before"
    print(f"\n{summary}; {memory}; {time.monotonic() - began:.0f} s")


async def _all(ordeal: Ordeal, hubs: dict[Case, str], port: int) -> dict[Case, BaseException | None]:
    server = await ordeal.gate.serve(port)
    watching = asyncio.create_task(asyncio.to_thread(ordeal.watch))
    found = await asyncio.gather(*(ordeal.endure(*each) for each in hubs.items()), return_exceptions=True)
    ordeal.over = True
    await watching
    server.close()
    return dict(zip(hubs, found, strict=True))


def _memory(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(endured: Endured, case: Case) -> None:
    """A lie gets a clear and clean condition and a few tries, leads to nothing wrong, and is forgotten afterwards."""
    if failure := endured.failures[case]:
        raise failure


def test_memory(endured: Endured) -> None:
    """All lies at once take no more memory than is allowed, whatever sizes they announce or send."""
    assert endured.most - endured.before < MOST_MEMORY, f"{endured.most} KiB, {endured.before} before"


def test_nothing_is_repeated(endured: Endured) -> None:
    """What a platform says in errors is nowhere to be read, and no defect of ours came to light."""
    assert [place for place, text in endured.shown.items() if CANARY in text or "\x1b" in text] == []
    assert "Traceback" not in endured.shown["log"]


def test_no_redirect_is_followed(endured: Endured) -> None:
    """Nobody ever asked for what a redirect points to."""
    assert endured.astray == 0
