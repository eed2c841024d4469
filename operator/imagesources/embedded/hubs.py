"""The embedded platform beside the operator, in its process, and asked for over HTTP like any other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from imagesources.embedded.options import Options
from imagesources.embedded.server import EmbeddedPlatform
from imagesources.platform.client import Connection


class EmbeddedHubs:
    """Hubs of an embedded platform, each with a key of the operator's own."""

    def __init__(self, platform: EmbeddedPlatform, key_name: str) -> None:
        self._platform = platform
        self._key_name = key_name
        self._opened: dict[str, Connection] = {}

    @classmethod
    @asynccontextmanager
    async def serve(cls, database_url: str, *, step_seconds: float, key_name: str) -> AsyncIterator[Self]:
        """Serve the platform on a free port of loopback, until the end of the context.

        Args:
            database_url: where its data is, as for ``EmbeddedPlatform.open``, which says what is raised.
            step_seconds: how long each step of a job takes.
            key_name: of the key that each hub is opened with; the same name replaces it.
        """
        async with EmbeddedPlatform.open(database_url, options=Options(step_seconds=step_seconds)) as platform:
            yield cls(platform, key_name)

    async def open(self, name: str) -> tuple[Connection, str]:
        """Open a hub by name, with a key that lives until an operator of the same shard opens it."""
        if name not in self._opened:
            hub_id = await self._platform.ensure_hub(name)
            key = await self._platform.issue_key(hub_id, name=self._key_name)
            self._opened[name] = Connection(self._platform.url, hub_id, key)
        return self._opened[name], self._platform.instance
