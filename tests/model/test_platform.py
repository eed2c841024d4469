"""The platform of the model and the embedded platform answer alike: every short sequence of the operator's requests."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.model.platform import Platforms, first_platform, jobs_of
from tests.model.ports import Question
from tests.model.values import freeze, thaw

from imagesources.embedded import EmbeddedPlatform, Options
from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import Refused
from imagesources.platform.models import Source

Json = dict[str, Any]
Answer = tuple[Any, ...]

BODY = {"name": "Web", "type": "direct", "origin": {"type": "docker-hub", "details": {"target": "nginx:1.29"}}}
ACL = {"roles": {"developer": {"view": True, "modify": False, "manage": False}}}
REQUESTS = ("get", "rename", "share", "delete", "find")
LONGEST = 3


def _shown(source: Json) -> Json:
    """What the operator looks at."""
    kept = ("id", "identifier", "name", "type", "origin", "acl")
    return {key: source[key] for key in kept} | {"state": source["state"]["current"]}


class _Model:
    """The model, asked as a client asks."""

    def __init__(self, *, ends: bool) -> None:
        self.platforms, self.state, self.ends = Platforms(), first_platform(None), ends

    async def create(self, identifier: str) -> str:
        return str(self._ask(Question("create", "", freeze(BODY | {"acl": ACL, "identifier": identifier})))["id"])

    async def request(self, what: str, source_id: str, identifier: str) -> Answer:
        try:
            match what:
                case "get":
                    return ("ok", _shown(self._ask(Question("get", source_id))))
                case "find":
                    found = self._ask(Question("list", identifier))
                    return ("ok", *map(_shown, found))
                case "delete":
                    job_id = self._ask(Question("delete", source_id))["job"]["id"]
                    for job in jobs_of(self.state) if self.ends else ():
                        self.state = self.platforms.finish(self.state, job)
                    return ("ok", self._ask(Question("job", job_id))["state"]["current"] == "completed")
            change = {"acl": None} if what == "share" else {"identifier": identifier}
            return ("ok", _shown(self._ask(Question("update", source_id, freeze(change)))))
        except Refused as refused:
            return (refused.status, refused.code)

    def _ask(self, question: Question) -> Any:
        self.state, reply = self.platforms.ask(self.state, question)
        if reply.kind == "refused":
            raise Refused(question.verb, **thaw(reply.body))
        return thaw(reply.body)


class _Embedded:
    """The embedded platform, over HTTP."""

    def __init__(self, client: PlatformClient, *, ends: bool) -> None:
        self.client, self.ends = client, ends

    async def create(self, identifier: str) -> str:
        source = await self.client.create_source(BODY | {"acl": ACL, "identifier": identifier})
        return source.id

    async def request(self, what: str, source_id: str, identifier: str) -> Answer:
        try:
            return await self._request(what, source_id, identifier)
        except Refused as refused:
            return (refused.status, refused.code)

    async def _request(self, what: str, source_id: str, identifier: str) -> Answer:
        one: dict[str, Callable[[], Awaitable[Source]]] = {
            "get": lambda: self.client.get_source(source_id),
            "rename": lambda: self.client.update_source(source_id, {"identifier": identifier}),
            "share": lambda: self.client.update_access(source_id, None),
        }
        if what in one:
            return ("ok", _shown((await one[what]()).model_dump(mode="json")))
        if what == "find":
            found = [s async for s in self.client.list_sources(identifier=identifier)]
            return ("ok", *(_shown(source.model_dump(mode="json")) for source in found))
        ticket = await self.client.delete_source(source_id)
        assert ticket.job and ticket.job.accepted
        return ("ok", await self._ended(ticket.job.id))

    async def _ended(self, job_id: str) -> bool:
        for _ in range(1000 if self.ends else 1):
            if (await self.client.get_job(job_id)).state.current == "completed":
                return True
            await asyncio.sleep(0.005)
        return False


@asynccontextmanager
async def _client(folder: Path, step_seconds: float) -> AsyncIterator[PlatformClient]:
    options = Options(step_seconds=step_seconds)
    async with EmbeddedPlatform.open(f"sqlite:///{folder / 'embedded.db'}", options=options) as platform:
        hub_id = await platform.ensure_hub("default")
        await platform.ensure_role(hub_id, "developer")
        policy = HostPolicy(allow_hosts=(platform.url.removeprefix("http://"),), allow_http=True)
        async with PlatformClient(Connection(platform.url, hub_id, await platform.issue_key(hub_id)), policy) as client:
            yield client


def _anonymous(answers: list[Answer], source_id: str) -> str:
    """Answers without the id, which each platform chooses."""
    return json.dumps(answers, sort_keys=True).replace(source_id, "ID")


@pytest.mark.parametrize("ends", [True, False], ids=["jobs that end", "jobs that run on"])
async def test_model_answers_as_the_embedded_platform(tmp_path: Path, *, ends: bool) -> None:
    """Every sequence of three requests to a source gets the same answers from both."""
    async with _client(tmp_path, 0.001 if ends else 3600.0) as client:
        for number, sequence in enumerate(itertools.product(REQUESTS, repeat=LONGEST)):
            said = []
            for platform in (_Model(ends=ends), _Embedded(client, ends=ends)):
                source_id = await platform.create(f"k8s-{number}")
                answers = [await platform.request(what, source_id, f"web-{number}") for what in sequence]
                said.append(_anonymous(answers, source_id))
            assert said[0] == said[1], sequence
