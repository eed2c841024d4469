"""``imagesource-operator serve`` as a real process, to stop and to kill."""

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
from tests.support.embedded import Api

HUB_ID = "5f" * 12
KEY = "a-key-given-to-serve"
RUN = "from imagesources.cli.serve import serve; serve()"


@dataclass
class Serving:
    """A process that serves.

    Attributes:
        process: The process.
        printed: What it printed, by name: url, hub id, api key.
        log: What it logs, with that of earlier ones in the same folder.
        api: A client with the key given, else with the one that it printed.
    """

    process: asyncio.subprocess.Process
    printed: dict[str, str]
    log: Path
    api: Api

    async def end(self, signum: signal.Signals) -> int:
        """Sends a signal, and returns the exit code."""
        self.process.send_signal(signum)
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def serving(
    database: str, folder: Path, *flags: str, key: str | None = KEY, **session: Any
) -> AsyncIterator[Serving]:
    """Serves a database; the process is killed if it runs at the end.

    Args:
        database: Its URL.
        folder: For the file ``log``.
        flags: Further flags.
        key: The API key; None: it generates one.
        session: Arguments of the client's session, which has as many connections as it has requests in flight.
    """
    environment = {**os.environ, "IMAGESOURCES_HUB_ID": HUB_ID, "IMAGESOURCES_DATABASE": database}
    if key:
        environment["IMAGESOURCES_API_KEY"] = key
    log = folder / "log"
    with log.open("ab") as output:
        argv = (sys.executable, "-c", RUN, "--listen", "127.0.0.1:0", *flags)
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, stderr=output, env=environment
        )
    assert process.stdout is not None
    try:
        lines = [(await asyncio.wait_for(process.stdout.readline(), 30)).decode() for _ in range(3)]
        assert all(lines), log.read_text()
        printed = dict(re.split(r":\s+", line.strip(), maxsplit=1) for line in lines)
        connector = session.pop("connector", None) or aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, **session) as client:
            api = Api(client, printed["url"], HUB_ID, key or printed["api key"])
            yield Serving(process, printed, log, api)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
