"""``serve`` as a real process: what it prints, that it stops cleanly, and what a kill -9 leaves behind."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner
from tests.support.embedded import NONE, SOURCES, Api

from imagesources.cli.serve import serve

HUB_ID = "5f" * 12
KEY = "a-key-given-to-serve"
RUN = "from imagesources.cli.serve import serve; serve()"


@dataclass
class Serving:
    """A process that serves.

    Attributes:
        process: the process.
        printed: what it printed, by name: url, hub id, api key.
        api: a client with the key given, else with the one that it printed.
    """

    process: asyncio.subprocess.Process
    printed: dict[str, str]
    api: Api

    async def end(self, signum: signal.Signals) -> int:
        """Sends a signal, and returns the exit code."""
        self.process.send_signal(signum)
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def serving(folder: Path, *flags: str, key: str | None = KEY) -> AsyncIterator[Serving]:
    """Serves the store in a folder; its log goes to ``log`` there. It is killed if it runs at the end."""
    environment = {**os.environ, "IMAGESOURCES_HUB_ID": HUB_ID} | ({"IMAGESOURCES_API_KEY": key} if key else {})
    argv = ["--listen", "127.0.0.1:0", "--database", f"sqlite:///{folder / 'embedded.db'}", *flags]
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, *argv, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
        )
    assert process.stdout is not None
    try:
        lines = [(await asyncio.wait_for(process.stdout.readline(), 30)).decode() for _ in range(3)]
        printed = dict(re.split(r":\s+", line.strip(), maxsplit=1) for line in lines)
        async with aiohttp.ClientSession() as session:
            yield Serving(process, printed, Api(session, printed["url"], HUB_ID, key or printed["api key"]))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_prints_the_key_that_it_generated_once(tmp_path: Path) -> None:
    """The hub's id and a generated key are printed; later the key is still valid, but not known any more."""
    async with serving(tmp_path, key=None) as first:
        assert first.printed["hub id"] == HUB_ID
        assert (await first.api("GET", SOURCES)).status == 200
        assert await first.end(signal.SIGTERM) == 0
    generated = first.printed["api key"]
    async with serving(tmp_path, key=None) as second:
        assert generated not in second.printed["api key"]
        assert (await second.api("GET", SOURCES, Authorization=f"Bearer {generated}")).status == 200
    assert generated not in (tmp_path / "log").read_text()


async def test_never_prints_a_key_that_it_was_given(tmp_path: Path) -> None:
    """A key from the environment is accepted, and neither printed nor logged."""
    async with serving(tmp_path) as server:
        assert (await server.api("GET", SOURCES)).status == 200
        assert KEY not in str(server.printed)
    assert KEY not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_stops_cleanly(tmp_path: Path, signum: signal.Signals) -> None:
    """A stop ends with code 0 in the middle of a job and with connections open, and leaves no traceback."""
    async with serving(tmp_path, "--step-seconds", "3600") as server:
        await server.api.delete((await server.api.create())["id"])
        assert await server.end(signum) == 0
    log = (tmp_path / "log").read_text()
    assert "has stopped" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--listen", "nowhere"], "no host:port"),
        (["--database", "sqlite://"], "must be a file"),
        (["--database", "nonsense"], "database URL"),
        (["--database", "nosuch://host/db"], "no driver for nosuch"),
        (["--hub-id", "x", "--listen", "127.0.0.1:0"], "24 hex"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], message: str) -> None:
    """Settings that make no sense end the command with one line that says so."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(serve, flags)
    assert result.exit_code == 1
    assert message in result.output


@pytest.mark.parametrize("steps", range(4))
async def test_kill_between_steps(tmp_path: Path, steps: int) -> None:
    """After a kill -9 with any number of steps done, the next start does the others, each once."""
    async with serving(tmp_path, "--step-seconds", "0.15") as server:
        source = await server.api.create()
        job_id = await server.api.delete(source["id"])
        done = completed_steps(await server.api.reached(job_id, lambda job: len(completed_steps(job)) >= steps))
        await server.end(signal.SIGKILL)
    async with serving(tmp_path, "--step-seconds", "0.05") as server:
        job = await server.api.ended(job_id)
        assert job["state"]["current"] == "completed"
        assert completed_steps(job)[: len(done)] == done
        assert (await server.api("GET", f"{SOURCES}/{source['id']}")).status == 404


def completed_steps(job: dict[str, Any]) -> list[str]:
    """Lists when the completed steps of a job were completed."""
    ends = [step["completed"] for task in job["tasks"] for step in task["steps"]]
    return [end for end in ends if not end.startswith("0001")]


async def test_kill_amid_writes(tmp_path: Path) -> None:
    """After a kill -9 amid 200 concurrent writes all that was acknowledged is there, and what is there is whole."""
    acknowledged: list[dict[str, object]] = []
    enough = asyncio.Event()

    async def create(api: Api, number: int) -> None:
        body = {"name": f"s{number}", "type": "direct", "origin": NONE, "acl": {"roles": {}}}
        answer = await api("POST", SOURCES, body)
        acknowledged.append(answer.data)
        if len(acknowledged) >= 60:
            enough.set()

    async with serving(tmp_path) as server:
        writes = [asyncio.create_task(create(server.api, number)) for number in range(200)]
        await asyncio.wait_for(enough.wait(), 30)
        await server.end(signal.SIGKILL)
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert any(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes)
    async with serving(tmp_path) as server:
        there = {source["id"]: source for source in (await server.api("GET", f"{SOURCES}?page[size]=1000")).data}
    for source in acknowledged:
        assert there[source["id"]] == source
    assert all(source["acl"] == {"roles": {}} for source in there.values())
