"""An HTTP proxy in front of an apiserver or a platform: it records what passes, and breaks it as a test says."""

import asyncio
import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakSet

import aiohttp
from aiohttp import web

from imagesources.controlplane import Cluster, free_ports

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}
_PATIENCE = 500
"""How often is looked whether all connections are closed, every 10 ms."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Call:
    """One request as it came in; ``path`` includes the query."""

    method: str
    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(frozen=True)
class Fault:
    """What becomes of a request instead of passing it on and back.

    Attributes:
        delay: seconds to wait before anything else.
        forward: whether the request reaches the server.
        then: called when the server has answered, before the answer is passed on.
        answer: status and JSON to answer with, instead of what the server says.
        alter: makes another answer of the server's own.
        reset: the connection is reset without an answer.
        afterwards: called when the answer has been passed on.
    """

    delay: float = 0
    forward: bool = True
    then: Callable[[], None] | None = None
    answer: tuple[int, Any] | None = None
    alter: Callable[[Any], Any] | None = None
    reset: bool = False
    afterwards: Callable[[], None] | None = None


DROPPED = Fault(forward=False, reset=True)
"""The request never arrives."""

LOST = Fault(reset=True)
"""The request is served, and its answer lost."""

HANGING = Fault(delay=3600)
"""Nothing happens."""

Rule = Callable[[Call], Fault | None]
"""Says what becomes of a request; runs in the proxy's thread."""


def refusal(status: int, code: str) -> Fault:
    """The platform's error envelope, instead of serving the request."""
    error = {"status": status, "code": code, "title": code}
    return Fault(forward=False, answer=(status, {"data": None, "error": error}))


class Proxy:
    """Listens on loopback in a thread of its own; a context manager.

    Args:
        upstream: scheme, host and port of the server.
        trust: how to check its certificate, for https.

    Attributes:
        port: where it listens.
        calls: every request that came in, oldest first.
        served: every request that the server has answered, with the status.
        rule: what becomes of requests; None: all pass.
    """

    def __init__(self, upstream: str, trust: ssl.SSLContext | None = None) -> None:
        self.port = free_ports(1)[0]
        self.calls: list[Call] = []
        self.served: list[tuple[Call, int]] = []
        self.rule: Rule | None = None
        self._upstream = upstream
        self._trust = trust or ssl.create_default_context()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Refuses new connections, and resets those that are open."""
        self._do(self._cut())

    def mend(self) -> None:
        """Listens again, at the same port."""
        self._do(self._listen())

    def deliver(self, call: Call) -> int:
        """Sends a request that was kept back to the server after all, and returns the status of its answer."""
        return self._do(self._deliver(call))

    def count(self, method: str, path: str = "") -> int:
        """How many requests of a method came in whose path holds a text."""
        return sum(call.method == method and path in call.path for call in list(self.calls))

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _open(self) -> None:
        self._connector = aiohttp.TCPConnector(ssl=self._trust, limit=0, socket_factory=self._socket)
        self._session = aiohttp.ClientSession(
            connector=self._connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        server = web.Application(client_max_size=0)
        server.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(server, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        return made

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()

    async def _cut(self) -> None:
        await self._site.stop()
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _close(self) -> None:
        await asyncio.sleep(0.01)  # a connection that was just accepted would be lost with the server, open
        await self._runner.cleanup()
        await self._connector.close(abort_ssl=True)
        await self._session.close()
        for _ in range(_PATIENCE):  # transports close in later turns of the loop, those of TLS in much later ones
            if all(each.fileno() == -1 for each in self._sockets):
                break
            await asyncio.sleep(0.01)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        call = Call(request.method, request.path_qs, await request.read(), tuple(headers))
        self.calls.append(call)
        fault = (self.rule and self.rule(call)) or Fault()
        await asyncio.sleep(fault.delay)
        if not fault.forward:
            return self._answer(request, fault)
        try:
            return await self._pass(request, call, fault)
        except aiohttp.ClientConnectionError:  # the server is away
            return self._answer(request, DROPPED)

    async def _pass(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
        async with self._forward(call, request.raw_path) as answer:
            self.served.append((call, answer.status))
            if fault.then or fault.alter or fault.answer or fault.reset:
                said = await answer.read()
                if fault.then:
                    fault.then()
                if fault.alter:
                    return web.json_response(fault.alter(json.loads(said)), status=answer.status)
                if fault.answer or fault.reset:
                    return self._answer(request, fault)
            passed = await _passed_on(request, answer)
            if fault.afterwards:
                fault.afterwards()
            return passed

    async def _deliver(self, call: Call) -> int:
        async with self._forward(call, call.path) as answer:
            await answer.read()
            return answer.status

    def _forward(self, call: Call, path: str) -> Any:
        url = aiohttp.client.URL(self._upstream + path, encoded=True)
        headers = list(call.headers)
        return self._session.request(call.method, url, data=call.body or None, headers=headers, allow_redirects=False)

    def _answer(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.reset and request.transport is not None:
            request.transport.abort()
        status, body = fault.answer or (500, None)
        return web.json_response(body, status=status)


async def _passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Passes an answer on as it comes, as a watch never ends."""
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
    passed = web.StreamResponse(status=answer.status, headers=headers)
    await passed.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await passed.write(chunk)
        await passed.write_eof()
    except (aiohttp.ClientError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
    return passed


def apiserver_proxy(cluster: Cluster) -> Proxy:
    """A proxy in front of the apiserver, as the operator's user sees it."""
    server = json.loads(cluster.operator_kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(server["certificate-authority-data"]).decode()
    return Proxy(server["server"], ssl.create_default_context(cadata=authority))


def behind(proxy: Proxy, cluster: Cluster, folder: Path) -> Cluster:
    """The cluster with a kubeconfig for the operator that goes through a proxy."""
    config = json.loads(cluster.operator_kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": proxy.url}
    path = folder / "proxied.kubeconfig"
    path.write_text(json.dumps(config))
    return replace(cluster, operator_kubeconfig=path)
