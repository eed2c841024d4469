"""The raw API of the embedded platform once more, each request made by the typed client.

A test that was written for ``Api`` gets the very answer that went over the wire. That the client understood it is
asserted on the way: what its models hold, and what its exceptions say, is what was answered.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel
from tests.support.embedded import INTEGRATIONS, SOURCES, Answer, Api
from yarl import URL

from imagesources.platform.client import Connection, HostPolicy, PlatformClient
from imagesources.platform.errors import NotSent, Refused
from imagesources.platform.models import Acl
from imagesources.platform.pointers import known_part

Arguments = dict[str, Any]
Ask = Callable[[PlatformClient, str, Any, Arguments], Awaitable[object] | AsyncIterator[object]]

IMAGES, JOBS, ROLES = "/v1/images", "/v1/jobs", "/v1/hubs/current/roles"
CAPABILITIES = "/v1/hubs/capabilities"

ASKS: dict[tuple[str, str], Ask] = {
    ("GET", SOURCES): lambda client, _, __, given: client.list_sources(**given),
    ("POST", SOURCES): lambda client, _, body, __: client.create_source(body),
    ("GET", f"{SOURCES}/ID"): lambda client, id_, _, given: client.get_source(id_, **given),
    ("PATCH", f"{SOURCES}/ID"): lambda client, id_, body, _: client.update_source(id_, body),
    ("DELETE", f"{SOURCES}/ID"): lambda client, id_, _, __: client.delete_source(id_),
    ("PATCH", f"{SOURCES}/ID/access"): lambda client, id_, body, _: client.update_access(
        id_, body["acl"] and Acl.model_validate(body["acl"])
    ),
    ("GET", JOBS): lambda client, _, __, given: client.list_jobs(**given),
    ("GET", f"{JOBS}/latest"): lambda client, _, __, ___: client.list_latest_jobs(),
    ("GET", f"{JOBS}/ID"): lambda client, id_, _, __: client.get_job(id_),
    ("GET", IMAGES): lambda client, _, __, given: client.list_images(**given),
    ("POST", IMAGES): lambda client, _, body, __: client.create_image(body),
    ("GET", f"{IMAGES}/ID"): lambda client, id_, _, given: client.get_image(id_, **given),
    ("DELETE", f"{IMAGES}/ID"): lambda client, id_, _, __: client.delete_image(id_),
    ("POST", f"{IMAGES}/ID/tasks"): lambda client, id_, _, __: client.import_image(id_),
    ("GET", INTEGRATIONS): lambda client, _, __, given: client.list_integrations(**given),
    ("POST", INTEGRATIONS): lambda client, _, body, given: client.create_integration(body, **given),
    ("GET", f"{INTEGRATIONS}/ID"): lambda client, id_, _, given: client.get_integration(id_, **given),
    ("PATCH", f"{INTEGRATIONS}/ID"): lambda client, id_, body, given: client.update_integration(id_, body, **given),
    ("DELETE", f"{INTEGRATIONS}/ID"): lambda client, id_, _, __: client.delete_integration(id_),
    ("GET", CAPABILITIES): lambda client, _, __, ___: client.list_capabilities(),
    ("GET", ROLES): lambda client, _, __, given: client.list_roles(**given),
    ("POST", ROLES): lambda client, _, body, __: client.create_role(body),
    ("GET", f"{ROLES}/ID"): lambda client, id_, _, given: client.get_role(id_, **given),
    ("PATCH", f"{ROLES}/ID"): lambda client, id_, body, _: client.update_role(id_, body),
    ("DELETE", f"{ROLES}/ID"): lambda client, id_, _, __: client.delete_role(id_),
}
"""How the client is asked for what a request asks for."""

PASSED_ON = ("Authorization", "X-Hub-Id", "Content-Type", "Accept")
METAS = {"images_count", "containers_count", "definition", "counts"}

UNREAD = {
    "Image": {"backend", "requires", "build", "config", "factory"},  # where it is kept, and what may hold secrets
    "ImageSourceReference": {"override"},
    "MadeFrom": {"origin", "stack_id", "containers"},
    "Integration": {"auth", "extra"},  # credentials
    "IntegrationDefinition": {"extended_configuration"},  # what else the platform may do with it
    "Job": {"schedule", "expires", "hash", "limit_duplicates"},  # its bookkeeping
    "Task": {"input", "output"},  # may echo secrets
    "JobTicket": {"queue", "schedule", "parallel", "tasks"},  # the job itself is read instead
    "Named": {"hub_id", "creator", "permissions", "capabilities", "ips", "state", "events"},  # of an API key
}
"""What of an answer each model leaves out."""


@dataclass
class Tap:
    """What went by between client and platform.

    Attributes:
        url: where the client finds the platform.
        answers: those to the call that is being made.
        operations: all that were called.
    """

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def called(self, operation: str, _code: str, _seconds: float) -> None:
        """Notes an operation."""
        self.operations.add(operation)


@dataclass(frozen=True)
class ClientApi(Api):
    """An ``Api`` whose requests the typed client makes; what it cannot say, or will not, is sent as it is."""

    tap: Tap = field(default_factory=Tap)

    async def __call__(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> Answer:
        """Sends a request, one at a time, so that it is known which answer belongs to it."""
        said = None if headers or raw is not None else in_words_of_the_client(method, path, body)
        if said is not None:
            async with self.tap.turn:
                answer = await self._ask(*said)
            if answer is not None:
                return answer
        return await super().__call__(method, path, body, raw=raw, **headers)

    async def _ask(self, ask: Ask, object_id: str, body: Any, given: Arguments) -> Answer | None:
        self.tap.answers.clear()
        policy = HostPolicy(allow_hosts=(self.tap.url.removeprefix("http://"),), allow_http=True)
        connection = Connection(self.tap.url, self.hub_id, self.key)
        number = given.pop("number", 1)
        async with PlatformClient(connection, policy, on_call=self.tap.called) as client:
            try:
                asked = ask(client, object_id, body, given)
                found = [each async for each in asked] if isinstance(asked, AsyncIterator) else await asked
            except NotSent:
                assert not re.fullmatch("[0-9a-f]{24}", object_id)
                assert self.tap.answers == []
                return None
            except Refused as refused:
                answer = self.tap.answers[-1]
                assert_same_refusal(refused, answer)
                return answer
        answers, data = self.tap.answers, [answer.data for answer in self.tap.answers]
        assert_agrees(found, [item for page in data for item in page] if isinstance(found, list) else data[0])
        if number == len(answers) == 1:
            assert_includes(found, answers[0])
        return answers[number - 1] if number <= len(answers) else None


def in_words_of_the_client(method: str, path: str, body: Any) -> tuple[Ask, str, Any, Arguments] | None:
    """Returns how the client says this, with id, body and arguments; None if it cannot."""
    path, _, query = path.partition("?")
    object_id = ""
    for collection in (SOURCES, IMAGES, JOBS, INTEGRATIONS, ROLES):
        if path.startswith(f"{collection}/") and path not in (SOURCES, f"{JOBS}/latest"):
            object_id, slash, rest = path.removeprefix(f"{collection}/").partition("/")
            path = f"{collection}/ID{slash}{rest}"
            break
    try:
        given = arguments(query)
    except ValueError:
        return None
    no_acl = path.endswith("/access") and not (isinstance(body, dict) and "acl" in body)
    other_task = path.endswith("/tasks") and body != {"action": "import"}
    ask = ASKS.get((method, path))
    return None if ask is None or no_acl or other_task else (ask, object_id, body, given)


def arguments(query: str) -> Arguments:
    """Returns a query as the client's keyword arguments.

    Raises:
        ValueError: the client has no words for it.
    """
    given: Arguments = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        match name:
            case "filter[state]":
                given["states"] = value.split(",")
            case "filter[range-start]" | "filter[range-end]":
                given["since" if name.endswith("start]") else "until"] = moment(value)
            case "sort":
                given["sort"] = [*given.get("sort", ()), *value.split(",")]
            case "page[size]":
                given["page_size"] = int(value)
            case "page[number]" if int(value) > 0:
                given["number"] = int(value)
            case "include":
                given["include"] = value.split(",")
            case "meta" if value in METAS:
                given[value] = True
            case _ if name.startswith("filter["):
                given[name[len("filter[") : -1]] = value
            case _:
                raise ValueError(name)
    return given


def moment(written: str) -> datetime:
    """Returns a time.

    Raises:
        ValueError: the client would write it in another way.
    """
    found = datetime.fromisoformat(written)
    if found.isoformat().replace("+00:00", "Z") != written:
        raise ValueError(written)
    return found


def assert_same_refusal(refused: Refused, answer: Answer) -> None:
    """Asserts that an exception says what was answered; of a pointer, the parts that are no words of the request's."""
    assert refused.status == answer.status
    if answer.status == 401:
        assert refused.code == "401.auth-invalid"
        return
    error = answer.body["error"]
    assert (refused.code, refused.source) == (error["code"], known_part(error.get("source")))
    assert refused.capability == error.get("extra", {}).get("capability", "")
    waits = answer.headers.get("Retry-After")
    assert refused.retry_after == (None if waits is None else float(waits))


def assert_includes(found: object, answer: Answer) -> None:
    """Asserts that what an answer brought along is with each resource of it."""
    for resource in found if isinstance(found, list | tuple) else (found,):
        includes = getattr(resource, "includes", None)
        assert (includes is None) == ("includes" not in answer.body)
        if includes is not None:
            brought = {name: value for name, value in answer.body["includes"].items() if ":" not in name}
            assert_agrees(includes, brought)


def assert_agrees(found: object, answered: Any) -> None:
    """Asserts that a model, or what it is made of, is what was answered, and lacks nothing but what is not read."""
    if isinstance(found, BaseModel):
        fields = {field.alias or name: name for name, field in type(found).model_fields.items()}
        known = {given: getattr(found, name) for given, name in fields.items() if name in found.model_fields_set}
        known.pop("includes", None)
        assert set(answered) - set(known) <= UNREAD.get(type(found).__name__, set())
        for name, value in known.items():
            assert_agrees(value, answered[name])
    elif isinstance(found, dict):
        assert found.keys() == answered.keys()
        for name, value in found.items():
            assert_agrees(value, answered[name])
    elif isinstance(found, list | tuple):
        for each, other in zip(found, answered, strict=True):
            assert_agrees(each, other)
    else:
        assert found == (datetime.fromisoformat(answered) if isinstance(found, datetime) else answered)


@asynccontextmanager
async def through_client(api: Api) -> AsyncIterator[ClientApi]:
    """Yields what does the same as an ``Api``, by way of the client."""
    tap = Tap()

    async def pass_on(request: web.Request) -> web.Response:
        url = URL(f"{api.url}{request.raw_path}", encoded=True)
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        body = await request.read()
        async with api.session.request(request.method, url, headers=headers, data=body or None) as answer:
            tap.answers.append(Answer(answer.status, await answer.json(), answer.headers))
            kept = {name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        tap.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield ClientApi(api.session, api.url, api.hub_id, api.key, api.platform, tap)
    finally:
        await runner.cleanup()
