"""One HTTP request to the platform: sent at most once, answered within a deadline and a size, or a ``PlatformError``.

What is known to have never left is ``NotSent``, and everything after that without a usable answer ``Unanswered``:
a create must be able to tell one from the other.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from imagesources.platform.answers import Answer, read
from imagesources.platform.codes import known
from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.platform.hosts import HostPolicy, is_printable, origin_of
from imagesources.platform.models import Json
from imagesources.telemetry import tracing

_OBJECT_ID = re.compile(r"\b[0-9a-f]{24}\b")

USER_AGENT = f"imagesource-operator/{version('imagesource-operator')}"

OnCall = Callable[[str, str, float], None]
"""Told of each call: operation, code ("ok", a platform's code, "not-sent", "unanswered", "cancelled"), seconds."""


@dataclass(frozen=True)
class Connection:
    """How to reach one hub.

    Attributes:
        url: scheme, host and port of the platform, such as ``https://api.cycle.io``.
        hub_id: sent as ``X-Hub-Id``.
        api_key: sent as the bearer token; in no ``repr``.
    """

    url: str
    hub_id: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Limits:
    """What one call may take.

    Attributes:
        connect: seconds until there is a connection, name resolution and TLS included.
        total: seconds until the answer is complete; above ``connect``, so that its expiry means "sent".
        body: bytes of an answer, before and after decompression.
    """

    connect: float = 10.0
    total: float = 60.0
    body: int = 4 * 1024 * 1024


class Transport:
    """Requests to one hub over one session; creating it does no I/O."""

    def __init__(
        self, connection: Connection, policy: HostPolicy, *, limits: Limits | None = None, on_call: OnCall | None = None
    ) -> None:
        self._connection = connection
        self._limits = limits or Limits()
        self._on_call = on_call
        self._origin = origin_of(connection.url)
        self._objection = policy.objection(connection.url)
        if not (is_printable(connection.api_key) and is_printable(connection.hub_id)):
            self._objection = "the API key or the hub id is empty or has spaces, newlines or other such characters"
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Json | None = None,
    ) -> Json:
        """Sends one request, once, and returns the document of a 2xx answer.

        Args:
            operation: the OpenAPI operation id, for messages and ``on_call``.
            method: the HTTP method.
            path: absolute and percent-encoded.
            query: names and values, not yet encoded.
            body: sent as JSON, if any.

        Raises:
            NotSent: it never left: refused by the policy, no connection, or the transport is closed.
            Unanswered: it left, and no usable answer came in time.
            Refused: the platform's error envelope came back.
        """
        started, code = time.monotonic(), "cancelled"
        with tracing.request(operation, self._about(method, path)) as span:
            try:
                document = read(operation, await self._exchange(operation, method, path, query, body))
                code = "ok"
            except PlatformError as failure:
                code = failure.code
                if isinstance(failure, Refused):
                    span.note({"http.response.status_code": failure.status})
                raise
            finally:
                if code != "ok":
                    span.fail(known(code))
                if self._on_call is not None:
                    self._on_call(operation, code, time.monotonic() - started)
        return document

    def _about(self, method: str, path: str) -> tracing.Attributes:
        """Describe a request for its span: neither the query nor, of an address not allowed, anything."""
        about: dict[str, str | int] = {"http.request.method": method, "url.template": _OBJECT_ID.sub("{id}", path)}
        if self._origin is not None and not self._objection:
            about |= {"server.address": self._origin.raw_host or "", "server.port": self._origin.port or 0}
        return about

    def address(self, operation: str, path: str, query: Sequence[tuple[str, str]]) -> URL:
        """Returns where a request goes.

        Raises:
            NotSent: it must not go anywhere.
        """
        if self._objection:
            raise NotSent(operation, self._objection)
        search = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return URL(f"{self._origin}{path}{search}", encoded=True)

    async def aclose(self) -> None:
        """Closes the connections; later calls are ``NotSent``."""
        self._objection = "the connection to the hub was closed"
        if self._session is not None:
            await self._session.close()

    async def _exchange(
        self, operation: str, method: str, path: str, query: Sequence[tuple[str, str]], body: Json | None
    ) -> Answer:
        url = self.address(operation, path, query)
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        # Failures are raised outside the except blocks: the exception of aiohttp, which knows the request with its
        # headers, must not hang on ours as its context.
        try:
            async with asyncio.timeout(self._limits.total):
                return await self._send(operation, method, url, data)
        except TimeoutError:
            failure = Unanswered(operation, f"no complete answer within {self._limits.total:g} s")
        except (aiohttp.ClientError, OSError, ValueError):
            failure = Unanswered(operation, "the connection broke, or spoke no HTTP, before the answer was complete")
        raise failure

    async def _send(self, operation: str, method: str, url: URL, data: bytes | None) -> Answer:
        async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            # aiohttp sends a GET or DELETE again when a connection breaks, unless what it sees is not its own error.
            try:
                return await handler(request)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                failure: PlatformError = NotSent(operation, no_connection(error))
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                failure = Unanswered(operation, "the connection broke before the answer came")
            raise failure

        headers = {} if data is None else {"Content-Type": "application/json"}
        async with self._open_session().request(
            method, url, data=data, headers=headers, allow_redirects=False, middlewares=(once,)
        ) as response:
            return Answer(
                status=response.status,
                content_type=response.content_type,
                content_encoding=response.headers.get("Content-Encoding", ""),
                retry_after=response.headers.get("Retry-After", ""),
                body=await self._body(operation, response),
                limit=self._limits.body,
            )

    async def _body(self, operation: str, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._limits.body:
                raise Unanswered(operation, f"HTTP {response.status} with more than {self._limits.body} bytes")
        return bytes(body)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # answers.py does it, within the limit
                trust_env=False,  # no proxy, no netrc
                headers={
                    "Authorization": f"Bearer {self._connection.api_key}",
                    "X-Hub-Id": self._connection.hub_id,
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "User-Agent": USER_AGENT,
                },
            )
        return self._session


def no_connection(error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> str:
    """Returns why there is no connection, in words of ours."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the host name does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorError(errno=int(number)) if number > 0:
            return f"no connection: {os.strerror(number)}"
        case _:
            return "no connection"
