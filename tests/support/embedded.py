"""An embedded platform on a free port, and raw JSON over HTTP to it."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp

from imagesources.embedded import ALL, EmbeddedPlatform, Options
from imagesources.embedded.database import Database, Query

T = TypeVar("T")

SOURCES = "/v1/images/sources"
INTEGRATIONS = "/v1/hubs/current/integrations"
NONE = {"type": "none"}


@dataclass(frozen=True)
class Answer:
    """What the platform answered.

    Attributes:
        status: HTTP status.
        body: the JSON.
        headers: of the answer.
    """

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        """The data of a success; fails on an error."""
        assert self.status in (200, 201, 202), self.body
        return self.body["data"]

    @property
    def error(self) -> tuple[int, str, str | None]:
        """Status, code and source of an error in its envelope."""
        assert self.body["data"] is None
        error = self.body["error"]
        assert error["status"] == self.status
        return self.status, error["code"], error.get("source")


@dataclass(frozen=True)
class Api:
    """A client that sends what it is told, and checks nothing."""

    session: aiohttp.ClientSession
    url: str
    hub_id: str
    key: str = field(repr=False)
    platform: EmbeddedPlatform | None = None

    async def __call__(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> Answer:
        """Sends a request; ``raw`` is sent as the body as it is, a header with an empty value is left out."""
        sent = {"Authorization": f"Bearer {self.key}", "X-Hub-Id": self.hub_id, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        payload = {"json": body} if raw is None else {"data": io.BytesIO(raw)}
        skip = () if "Content-Type" in sent else ("Content-Type",)
        async with self.session.request(
            method, self.url + path, headers=sent, skip_auto_headers=skip, **payload
        ) as answer:
            return Answer(answer.status, await answer.json(), answer.headers)

    async def send(self, head: bytes, *, more: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Opens a connection and sends the first bytes of a request, with what every request has in its head.

        Args:
            head: request line, and header lines without the last line break.
            more: what follows the head.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        same = f"Host: h\r\nAuthorization: Bearer {self.key}\r\nX-Hub-Id: {self.hub_id}"
        writer.write(head + b"\r\nContent-Type: application/json\r\n" + same.encode() + b"\r\n\r\n" + more)
        await writer.drain()
        return reader, writer

    async def create(self, name: str = "Web", **properties: Any) -> dict[str, Any]:
        """Creates a source with origin ``none`` unless told otherwise, and returns it."""
        body = {"name": name, "type": "direct", "origin": NONE, **properties}
        return dict((await self("POST", SOURCES, body)).data)

    async def integration(self, identifier: str, vendor: str = "depot", **properties: Any) -> dict[str, Any]:
        """Creates an integration, one that builds images unless told otherwise, and returns it."""
        body = {"name": f"The {identifier}", "identifier": identifier, "vendor": vendor, **properties}
        return dict((await self("POST", INTEGRATIONS, body)).data)

    async def names(self, query: str = "") -> list[str]:
        """Lists sources and returns their names."""
        return [source["name"] for source in (await self("GET", f"{SOURCES}?{query}")).data]

    async def delete(self, source_id: str) -> str:
        """Deletes a source and returns its job's id."""
        return str((await self("DELETE", f"{SOURCES}/{source_id}")).data["job"]["id"])

    async def reached(self, job_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits until a job is in some condition, and returns it."""
        async with asyncio.timeout(20):
            while True:
                job = dict((await self("GET", f"/v1/jobs/{job_id}")).data)
                if condition(job):
                    return job
                await asyncio.sleep(0.01)

    async def ended(self, job_id: str) -> dict[str, Any]:
        """Waits until a job has ended, and returns it."""
        return await self.reached(job_id, lambda job: job["state"]["current"] not in ("queued", "running"))

    async def with_key(self, role: str, capabilities: frozenset[str] = ALL) -> "Api":
        """Makes another API key, and returns a client that uses it."""
        assert self.platform is not None
        key = await self.platform.issue_key(self.hub_id, capabilities, name=f"{role} {uuid4().hex}", role=role)
        return replace(self, key=key)


@asynccontextmanager
async def embedded_api(database: str, options: Options | None = None) -> AsyncIterator[Api]:
    """Serves a database, with quick jobs unless told otherwise, and yields a client with all rights."""
    options = options or Options(step_seconds=0.01)
    async with (
        EmbeddedPlatform.open(database, options=options) as platform,
        aiohttp.ClientSession() as session,
    ):
        hub_id = await platform.ensure_hub("test")
        key = await platform.issue_key(hub_id)
        yield Api(session, platform.url, hub_id, key, platform)


async def read(url: str, query: Query[T]) -> T:
    """Runs a query on a database, past the platform."""
    async with opened(url) as database:
        return await database.read(query)


async def write(url: str, query: Query[T]) -> T:
    """Runs a query on a database and commits, past the platform."""
    async with opened(url) as database:
        return await database.write(query)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Opens a database."""
    database = await Database.open(url)
    try:
        yield database
    finally:
        await database.close()
