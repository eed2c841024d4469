"""The embedded platform as a whole: its store, its worker and its HTTP server, from start to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from aiohttp import web
from aiohttp.http import HttpProcessingError
from sqlalchemy.exc import IntegrityError

from imagesources.embedded import admin
from imagesources.embedded.access import ALL
from imagesources.embedded.database import Database
from imagesources.embedded.endpoint import Services
from imagesources.embedded.feed import Feed
from imagesources.embedded.limits import RateLimit
from imagesources.embedded.options import Options
from imagesources.embedded.routes import application
from imagesources.embedded.tls import Certificate, TlsFiles
from imagesources.embedded.worker import Worker

LOG = logging.getLogger(__name__)

HTTP_LOG = logging.getLogger(f"{__name__}.http")
"""aiohttp's. It would say of a request that is no HTTP what is wrong, with a part of the request, secrets too."""

LINE_LIMIT = 64 * 1024
"""Bytes that a request's first line may have: a query may repeat a parameter many times."""

STOP_TIME = 10.0
"""Seconds that requests in flight have to finish at a stop."""


class EmbeddedPlatform:
    """A platform that serves the Image Sources API; ``async with EmbeddedPlatform.open(…) as platform``.

    Attributes:
        url: where it serves, such as ``http://127.0.0.1:8080``.
        instance: id of the store, made with it: an emptied volume is another platform.
    """

    def __init__(self, database: Database, url: str, instance: str) -> None:
        self._database = database
        self.url = url
        self.instance = instance

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database_url: str,
        listen: str = "127.0.0.1:0",
        *,
        options: Options | None = None,
        tls: TlsFiles | None = None,
    ) -> AsyncIterator[Self]:
        """Serve until the end of the context; then finish requests in flight and stop jobs between two steps.

        Args:
            database_url: an SQLAlchemy URL, such as ``sqlite:///platform.db`` or ``postgresql://host/platform``.
            listen: ``host:port``; port 0 is a free one.
            options: how it behaves.
            tls: what to serve https with; without it, http is served.

        Raises:
            ValueError: the URL or the address is none, the database is in memory or that of a newer program, or the
                TLS files are no certificate and key.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
            OSError: the address cannot be listened on, or a file cannot be read.
            Exception: a part of it ended by this error, which cancels the context.
        """
        host, port = _address(listen)
        options = options or Options()
        certificate = Certificate(tls) if tls else None
        database = await Database.open(database_url)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            instance = await database.instance()
            worker, feed = Worker(database, options), Feed(database)
            services = Services(database, worker, feed, options, RateLimit(options.requests_per_second), instance)
            url = await stack.enter_async_context(_serving(services, host, port, certificate))
            await stack.enter_async_context(_running(worker, feed, *([certificate] if certificate else [])))
            LOG.info("embedded platform %s serves %s", instance, url)
            yield cls(database, url, instance)
        LOG.info("embedded platform %s has stopped", instance)

    async def ensure_hub(self, name: str, *, hub_id: str | None = None) -> str:
        """Find a hub by its name, or make it.

        Args:
            name: the hub's name.
            hub_id: the id that it must have, if that matters; it is then found by that.

        Returns:
            Its id.

        Raises:
            ValueError: the id is none, or a hub of that name has another one.
        """
        try:
            return await self._database.ensure(lambda connection: admin.ensure_hub(connection, name, hub_id))
        except IntegrityError as error:
            raise ValueError(f"a hub named {name!r} has another id") from error

    async def ensure_role(self, hub_id: str, identifier: str) -> str:
        """Find a role of a hub by its identifier, or make it; return its id."""
        return await self._database.ensure(lambda connection: admin.ensure_role(connection, hub_id, identifier))

    async def issue_key(
        self,
        hub_id: str,
        capabilities: AbstractSet[str] = ALL,
        value: str | None = None,
        *,
        name: str = "operator",
        role: str = admin.OWNER,
    ) -> str:
        """Make an API key, or give the key of that name another value, other capabilities and another role.

        Args:
            hub_id: the hub that the key is for.
            capabilities: what it may do.
            value: the key itself; without it a new one is generated, and the one before it is no longer valid.
            name: the key's name within the hub; what it creates has its id, which stays with the name.
            role: identifier of its role, made if the hub has none; the owner is above every ACL.

        Returns:
            The key itself, which cannot be seen again.

        Raises:
            ValueError: another key has this value, or there is no such hub.
        """
        try:
            return await self._database.ensure(
                lambda connection: admin.issue_key(
                    connection, hub_id, name=name, capabilities=capabilities, role=role, value=value
                )
            )
        except IntegrityError as error:
            raise ValueError("another API key has this value, or there is no such hub") from error

    async def key_exists(self, hub_id: str, name: str) -> bool:
        """Tell whether a hub has an API key of this name."""
        return await self._database.read(lambda connection: admin.key_exists(connection, hub_id, name))


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether what is logged is no mistake of a client's, who is told of it by the answer."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


HTTP_LOG.addFilter(_is_ours)


@asynccontextmanager
async def _serving(services: Services, host: str, port: int, certificate: Certificate | None) -> AsyncIterator[str]:
    app = application(services)
    limits: dict[str, Any] = {"shutdown_timeout": STOP_TIME, "max_line_size": LINE_LIMIT}
    runner = web.AppRunner(app, access_log=None, logger=HTTP_LOG, **limits)
    await runner.setup()
    try:
        scheme, context = ("https", certificate.context) if certificate else ("http", None)
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        bound = runner.addresses[0][1]
        shown = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
        yield f"{scheme}://{f'[{shown}]' if ':' in shown and '[' not in shown else shown}:{bound}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _running(*services: Worker | Feed | Certificate) -> AsyncIterator[None]:
    """Run what works beside the requests.

    An error that ends one of them cancels the context, and is raised at its end. A task group would do that, too, but
    wrap what the context itself raises.
    """
    owner, is_open = asyncio.current_task(), True

    def ended(task: asyncio.Task[None]) -> None:
        if is_open and owner and not task.cancelled() and task.exception():
            owner.cancel()

    tasks = [asyncio.create_task(service.run(), name=type(service).__name__) for service in services]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        is_open = False
        for service in services:
            service.stop()
        await asyncio.gather(*tasks)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{listen!r} is no host:port, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)
