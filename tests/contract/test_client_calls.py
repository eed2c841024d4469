"""The client's own promises: what goes over the wire, what comes back, whom it talks to."""

import asyncio
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.support import documents
from tests.support.documents import HUB_ID, JOB_ID, SOURCE_ID
from tests.support.hostile import HostileServer, always, answer, hostile

from imagesources.platform.client import Connection, HostPolicy, Limits, Listing, PlatformClient
from imagesources.platform.errors import NotSent, Refused, Unanswered
from imagesources.platform.models import ZERO_TIME, Acl, AclEntry, SourceState

KEY = "some-key"
ONE = answer(200, {"data": documents.source()})


def client_of(server: HostileServer, calls: list[tuple[str, str]] | None = None) -> PlatformClient:
    """A client of this server that notes its calls and their codes."""
    policy = HostPolicy(allow_hosts=(f"127.0.0.1:{server.port}",), allow_http=True)
    noted = [] if calls is None else calls

    def note(operation: str, code: str, seconds: float) -> None:
        assert 0 <= seconds < 60
        noted.append((operation, code))

    return PlatformClient(Connection(server.url, HUB_ID, KEY), policy, limits=Limits(total=5), on_call=note)


def sent(request: bytes) -> tuple[str, str, list[tuple[str, str]], object]:
    """Returns method, path, query and JSON body of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    url = urlsplit(target)
    return method, url.path, parse_qsl(url.query), json.loads(body) if body else None


async def test_each_operation_on_the_wire() -> None:
    """Each operation sends the description's method, path and body, and is counted under its operation id."""
    entry = AclEntry(view=True, modify=False, manage=False)
    acl = Acl(roles={"developer": entry})
    descriptor = answer(202, {"data": {"action": "delete", "job": {"id": JOB_ID, "accepted": True}}})
    calls: list[tuple[str, str]] = []
    answers = (ONE, ONE, ONE, ONE, ONE, descriptor, answer(200, {"data": documents.job()}))
    async with hostile(always(*answers)) as server, client_of(server, calls) as client:
        await client.create_source({"name": "Web"})
        assert (await client.get_source(SOURCE_ID, images_count=True)).events.deleted == ZERO_TIME
        await client.update_source(SOURCE_ID, {"builder": None})
        await client.update_access(SOURCE_ID, acl)
        await client.update_access(SOURCE_ID, None)
        assert await client.delete_source(SOURCE_ID) is not None
        assert (await client.get_job(JOB_ID)).state.current == "running"
    path = f"/v1/images/sources/{SOURCE_ID}"
    assert [sent(request) for request in server.requests] == [
        ("POST", "/v1/images/sources", [], {"name": "Web"}),
        ("GET", path, [("meta", "images_count")], None),
        ("PATCH", path, [], {"builder": None}),
        ("PATCH", f"{path}/access", [], {"acl": {"roles": {"developer": entry.model_dump()}}}),
        ("PATCH", f"{path}/access", [], {"acl": None}),
        ("DELETE", path, [], None),
        ("GET", f"/v1/jobs/{JOB_ID}", [], None),
    ]
    assert server.connections == 1
    assert [operation for operation, code in calls if code == "ok"] == [
        "createImageSource",
        "getImageSource",
        "updateImageSource",
        "updateImageSourceAccess",
        "updateImageSourceAccess",
        "deleteImageSource",
        "getJob",
    ]


async def test_headers() -> None:
    """A request carries the key, the hub and who asks, and no cookie that it was given."""
    with_cookie = answer(200, {"data": documents.source()}, Set_Cookie="a=b")
    async with hostile(always(with_cookie)) as server, client_of(server) as client:
        await client.get_source(SOURCE_ID)
        await client.get_source(SOURCE_ID)
    head = server.requests[1].decode().lower()
    assert f"authorization: bearer {KEY}\r\n" in head
    assert f"x-hub-id: {HUB_ID}\r\n" in head
    assert "user-agent: imagesource-operator/" in head
    assert "cookie" not in head


async def test_delete_without_job() -> None:
    """The description lets a deletion be accepted without naming its job."""
    async with hostile(always(answer(202, {"data": {"action": "delete"}}))) as server, client_of(server) as client:
        assert (await client.delete_source(SOURCE_ID)).job is None


def numbered(count: int, start: int = 0) -> list[dict[str, object]]:
    """Returns so many different sources."""
    return [documents.source(id=f"{number:024x}") for number in range(start, start + count)]


async def test_list_pages_lazily_until_a_short_one() -> None:
    """Pages are asked for as they are needed, and the short one is the last."""
    pages = [answer(200, {"data": numbered(2)}), answer(200, {"data": numbered(1, start=2)})]
    async with hostile(always(*pages)) as server, client_of(server) as client:
        listing = client.list_sources(page_size=2)
        first = [await anext(listing), await anext(listing)]
        assert len(server.requests) == 1
        rest = [source async for source in listing]
    assert [source.id for source in first + rest] == [f"{number:024x}" for number in range(3)]
    assert [dict(sent(request)[2])["page[number]"] for request in server.requests] == ["1", "2"]


async def test_list_of_full_pages_ends_with_an_empty_one() -> None:
    """An exact multiple of the page size ends with an empty page."""
    pages = [answer(200, {"data": numbered(2)}), answer(200, {"data": []})]
    async with hostile(always(*pages)) as server, client_of(server) as client:
        assert len([source async for source in client.list_sources(page_size=2)]) == 2
    assert len(server.requests) == 2


async def test_list_names_each_source_once() -> None:
    """A source that shifted to the next page meanwhile is yielded once."""
    pages = [answer(200, {"data": numbered(2)}), answer(200, {"data": numbered(2, start=1)}), answer(200, {"data": []})]
    async with hostile(always(*pages)) as server, client_of(server) as client:
        ids = [source.id async for source in client.list_sources(page_size=2)]
    assert ids == [f"{number:024x}" for number in range(3)]


async def test_list_that_repeats_itself() -> None:
    """A platform that ignores the page number is found out: what follows the first page is out of reach."""
    async with hostile(always(answer(200, {"data": numbered(2)}))) as server, client_of(server) as client:
        with pytest.raises(Unanswered, match="do not end"):
            [source async for source in client.list_sources(page_size=2)]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("listing", "query"),
    [
        (Listing(), [("sort", "id"), ("page[size]", "100")]),
        (Listing(identifier="k8s-ä&=#"), [("filter[identifier]", "k8s-ä&=#"), ("sort", "id"), ("page[size]", "100")]),
        (
            Listing(
                search="a b+c",
                states=(SourceState.LIVE, SourceState.DELETING),
                sort=("-id", "name"),
                page_size=7,
                images_count=True,
                include=("integrations",),
            ),
            [
                ("filter[search]", "a b+c"),
                ("filter[state]", "live,deleting"),
                ("sort", "-id,name"),
                ("meta", "images_count"),
                ("include", "integrations"),
                ("page[size]", "7"),
            ],
        ),
        (Listing(identifier=None, search=None, sort=()), [("page[size]", "100")]),
    ],
    ids=["default", "identifier", "all", "none"],
)
async def test_list_parameters(listing: Listing, query: list[tuple[str, str]]) -> None:
    """Filters, sort, meta, include and page arrive as they were given, and what was not given does not."""
    async with hostile(always(answer(200, {"data": []}))) as server, client_of(server) as client:
        assert await client.list_page(3, **listing) == ()
    assert sent(server.requests[0])[2] == [*query, ("page[number]", "3")]


@pytest.mark.parametrize(
    "object_id", ["", "../jobs", SOURCE_ID[:-1], f"{SOURCE_ID}\n", SOURCE_ID.upper(), "\u0660" * 24]
)
async def test_ids_are_checked(object_id: str) -> None:
    """What is no id never becomes a path."""
    async with hostile(always(ONE)) as server, client_of(server) as client:
        for call in (client.get_source, client.delete_source, client.get_job):
            with pytest.raises(NotSent, match="24"):
                await call(object_id)
        with pytest.raises(NotSent):
            await client.update_source(object_id, {})
        with pytest.raises(NotSent):
            await client.update_access(object_id, None)
    assert server.requests == []


@pytest.mark.parametrize(
    ("policy", "url", "words"),
    [
        (HostPolicy(), "https://evil.example", "--allow-host evil.example"),
        (HostPolicy(), "https://api.cycle.io:8443", "--allow-host api.cycle.io:8443"),
        (HostPolicy(), "https://api.cycle.io.evil.example", "--allow-host"),
        (HostPolicy(), "https://api.cycle.io@evil.example", "nothing more"),
        (HostPolicy(), "https://api.cycle.io/v1", "nothing more"),
        (HostPolicy(), "https://api.cycle.io?a=b", "nothing more"),
        (HostPolicy(), "https://api.cycle.io\r\n.evil.example", "nothing more"),
        (HostPolicy(), "ftp://api.cycle.io", "nothing more"),
        (HostPolicy(), "https://[::1", "nothing more"),
        (HostPolicy(), "", "nothing more"),
        (HostPolicy(), "http://api.cycle.io", "use https"),
        (HostPolicy(allow_hosts=("api.cycle.io",), allow_http=True), "http://api.cycle.io", "use https"),
        (HostPolicy(allow_hosts=("10.0.0.1:80",), allow_http=True), "http://10.0.0.1", "use https"),
        (HostPolicy(allow_http=True), "http://127.0.0.1:8080", "--allow-host 127.0.0.1:8080"),
        (
            HostPolicy(allow_hosts=("127.0.0.1",), allow_http=True),
            "http://127.0.0.1:8080",
            "--allow-host 127.0.0.1:8080",
        ),
        (HostPolicy(allow_hosts=("127.0.0.1:8080",)), "http://127.0.0.1:8080", "--allow-http"),
        (HostPolicy(), "https://169.254.169.254", "--allow-host 169.254.169.254"),
    ],
)
async def test_host_policy_refuses(policy: HostPolicy, url: str, words: str) -> None:
    """A host that nobody allowed is not called, and the message names the flag."""
    async with PlatformClient(Connection(url, HUB_ID, KEY), policy) as client:
        with pytest.raises(NotSent) as caught:
            await client.get_source(SOURCE_ID)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "url"),
    [
        (HostPolicy(), "https://api.cycle.io"),
        (HostPolicy(), "https://API.cycle.io:443/"),
        (HostPolicy(allow_hosts=("platform.example:8443",)), "https://platform.example:8443"),
        (HostPolicy(allow_hosts=("platform.example:443",)), "https://platform.example"),
        (HostPolicy(allow_hosts=("[::1]:8080",), allow_http=True), "http://[::1]:8080"),
        (HostPolicy(allow_hosts=("localhost:8080",), allow_http=True), "http://localhost:8080"),
    ],
)
def test_host_policy_allows(policy: HostPolicy, url: str) -> None:
    """The official host and those that were named may be called, in any spelling of the same place."""
    assert policy.objection(url) == ""


async def test_creating_a_client_does_nothing() -> None:
    """A client is made where no event loop is, connects to nothing, and works in the loop of its first call."""
    async with hostile(always(ONE)) as server:
        client = await asyncio.to_thread(client_of, server)
        assert server.connections == 0
        async with client:
            await client.get_source(SOURCE_ID)
        assert server.connections == 1


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key never goes to a proxy that an environment variable names."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with hostile(always(ONE)) as server, client_of(server) as client:
        await client.get_source(SOURCE_ID)
    assert len(server.requests) == 1


async def test_calls_are_counted_by_code() -> None:
    """Each call is reported once, with what came of it."""
    calls: list[tuple[str, str]] = []
    gone = answer(404, documents.refusal(404, "404.image.source"))
    async with hostile(always(gone, answer(502, {}))) as server:
        client = client_of(server, calls)
        with pytest.raises(Refused):
            await client.get_source(SOURCE_ID)
        with pytest.raises(Unanswered):
            await client.get_source(SOURCE_ID)
        await client.aclose()
        with pytest.raises(NotSent, match="closed"):
            await client.get_source(SOURCE_ID)
    assert [code for _, code in calls] == ["404.image.source", "unanswered", "not-sent"]


async def test_cancelled_call() -> None:
    """A call that is cancelled ends at once, as cancelled, and is counted."""
    calls: list[tuple[str, str]] = []
    heard = asyncio.Event()

    async def silent(_writer: asyncio.StreamWriter, _: int) -> None:
        heard.set()
        await asyncio.Event().wait()

    async with hostile(silent) as server, client_of(server, calls) as client:
        call = asyncio.create_task(client.create_source({}))
        await heard.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert calls == [("createImageSource", "cancelled")]


async def test_concurrent_calls() -> None:
    """Calls run side by side, each with its own answer."""
    async with hostile(always(ONE)) as server, client_of(server) as client:
        sources = await asyncio.gather(*(client.get_source(SOURCE_ID) for _ in range(20)))
    assert len(sources) == len(server.requests) == 20
