"""A platform of its own process, as far away from the operator as the real one, and what others do to it."""

import asyncio
import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection
from tests.support.waiting import wait_for

from imagesources.controlplane import Process, free_ports
from imagesources.embedded import admin
from imagesources.embedded.database import Database
from imagesources.resources import API_VERSION, CREDENTIALS_LABEL

Json = dict[str, Any]

SOURCES = "/v1/images/sources"
API_KEY = "the-key-of-these-tests"
HUB_ID = "5f" * 12


class Refusal(AssertionError):
    """The platform refused a request; holds status and body."""


class Platform:
    """``imagesource-operator serve`` with a hub and a key.

    Args:
        folder: for its database and log, which outlive a restart.
        flags: further flags of ``serve``.
        hub_id: the id of its hub.
    """

    def __init__(self, folder: Path, *flags: str, hub_id: str = HUB_ID) -> None:
        self._folder = folder
        self._flags = flags
        self._process: Process | None = None
        self.hub_id = hub_id
        self._api_key = API_KEY
        self._database = f"sqlite:///{folder / 'platform.db'}"
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except AssertionError:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def with_hubs(self, hub_ids: Sequence[str], *roles: str) -> None:
        """Makes further hubs, each with roles and an API key of its own; see ``of_hub``."""

        def make(connection: Connection) -> None:
            for hub_id in hub_ids:
                admin.ensure_hub(connection, hub_id, hub_id)
                admin.issue_key(connection, hub_id, name="tests", value=_key_of(hub_id))
                for role in roles:
                    admin.ensure_role(connection, hub_id, role)

        async def work() -> None:
            database = await Database.open(self._database)
            await database.write(make)
            await database.close()

        asyncio.run(work())

    def of_hub(self, hub_id: str) -> "Platform":
        """Sees the same platform as the owner of one of the further hubs does."""
        other = copy(self)
        other.hub_id, other._api_key = hub_id, _key_of(hub_id)
        return other

    def start(self, api_key: str = API_KEY) -> None:
        """Starts it, with this key, and waits until it answers."""
        listen = self.url.removeprefix("http://")
        argv = [sys.executable, "-m", "imagesources", "serve", "--listen", listen]
        argv += ["--database", self._database, *self._flags]
        env = os.environ | {"IMAGESOURCES_HUB_ID": self.hub_id, "IMAGESOURCES_API_KEY": api_key}
        self._api_key = api_key
        self._process = Process(argv, log=self._folder / "platform.log", env=env)
        wait_for(self._answers, what=f"the platform to answer; its log: {self._process.log}")

    def stop(self) -> None:
        """Ends it at once."""
        if self._process:
            self._process.kill()

    def __call__(self, method: str, path: str, body: Json | None = None) -> Any:
        """Sends a request by other hands than the operator's and returns its data.

        Raises:
            Refusal: the platform refuses it.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "X-Hub-Id": self.hub_id,
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise Refusal(f"{error.status} {error.read().decode()}") from None

    def sources(self, **properties: Any) -> list[Json]:
        """The sources that are not deleted, among them those with these properties alone."""
        listed = self("GET", f"{SOURCES}?page[size]=1000&sort=id")
        return [
            source
            for source in listed
            if source["state"]["current"] != "deleted" and properties.items() <= source.items()
        ]

    def get(self, source_id: str) -> Json:
        """One source."""
        return dict(self("GET", f"{SOURCES}/{source_id}"))

    def hub(self, url: str = "", name: str = "default", **spec: Any) -> list[Json]:
        """A Hub of this platform and its Secret, to apply; by way of a proxy if its url is given."""
        reference = {"secretKeyRef": {"name": f"{name}-key", "key": "apiKey"}}
        place = {"url": url or self.url, "hubId": self.hub_id, "apiKeyFrom": reference}
        rate = {"requestsPerSecond": 1000, "burst": 1000}
        free = {"rateLimit": rate, "brake": {"minimum": 1000000, "vanished": 1000000}, "inventoryInterval": "1s"}
        hub = {
            "apiVersion": API_VERSION,
            "kind": "Hub",
            "metadata": {"name": name},
            "spec": {"platform": place, **free, **spec},
        }
        return [secret(f"{name}-key", apiKey=self._api_key), hub]

    def _answers(self) -> bool:
        try:
            return self.sources() is not None
        except (OSError, http.client.HTTPException):
            return False


def _key_of(hub_id: str) -> str:
    return f"the-key-of-hub-{hub_id}"


def secret(name: str, **values: str) -> Json:
    """A labelled Secret, to apply."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {CREDENTIALS_LABEL: "true"}},
        "stringData": values,
    }
