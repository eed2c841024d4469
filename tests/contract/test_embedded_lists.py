"""Lists on the embedded platform: filters, sorting, pages, includes and meta."""

from collections.abc import AsyncIterator

import pytest
from tests.support.embedded import SOURCES, Api, embedded_api


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform."""
    async with embedded_api(database) as client:
        yield client


async def test_filter_identifier_matches_whole(api: Api) -> None:
    """The identifier filter finds exactly that identifier, each time that it is there."""
    for name in ("Web", "Web", "Web 2"):
        await api.create(name)
    assert await api.names("filter[identifier]=web") == ["Web", "Web"]
    assert await api.names("filter[identifier]=we") == []


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("SHOP", ["Shop"]),
        ("nginx", ["Web"]),
        ("100%25", ["Web"]),
        ("_", []),
        ("s3cret", []),
        ("direct", ["Web", "Shop"]),
    ],
)
async def test_filter_search(api: Api, term: str, found: list[str]) -> None:
    """A search finds text in name, identifier, description and target in any case, wildcards literally, no secrets."""
    hub = {"type": "docker-hub", "details": {"target": "nginx", "token": "s3cret"}}
    await api.create("Web", origin=hub, about={"description": "100% up"})
    await api.create("Shop")
    assert await api.names(f"filter[search]={term}") == found


async def test_filter_search_follows_updates(api: Api) -> None:
    """A search looks at what a source is now."""
    source = await api.create("Web")
    await api("PATCH", f"{SOURCES}/{source['id']}", {"name": "Shop", "identifier": None})
    assert await api.names("filter[search]=web") == []
    assert await api.names("filter[search]=shop") == ["Shop"]


async def test_filter_state(api: Api) -> None:
    """Deleted sources are listed only when asked for; several states may be asked for."""
    gone = await api.create("Gone")
    await api.create("Here")
    await api.ended(await api.delete(gone["id"]))
    assert await api.names() == ["Here"]
    assert await api.names("filter[state]=live") == ["Here"]
    assert await api.names("filter[state]=deleted") == ["Gone"]
    assert await api.names("filter[state]=live,deleted") == ["Gone", "Here"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", "b1 a1 b2 a2"),
        ("-id", "a2 b2 a1 b1"),
        ("name", "a1 a2 b1 b2"),
        ("type,-name", "b1 a1 b2 a2"),
        ("-type,name", "a2 b2 a1 b1"),
        ("type&sort=name", "a1 b1 a2 b2"),
        ("-created", "a2 b2 a1 b1"),
        ("state", "b1 a1 b2 a2"),
        ("-state", "a2 b2 a1 b1"),
    ],
)
async def test_sort(api: Api, sort: str, order: str) -> None:
    """Several keys sort one after the other, "-" turns one around, and the id decides between equals."""
    for name, kind in (("b1", "bucket"), ("a1", "bucket"), ("b2", "direct"), ("a2", "direct")):
        await api.create(name, type=kind)
    assert await api.names(f"sort={sort}") == order.split()


@pytest.mark.parametrize("sort", ["", "name", "-state,identifier", "-updated", "type"])
async def test_pages_hold_each_source_once(api: Api, sort: str) -> None:
    """Pages of any size put together are the whole list, though all sort keys are equal."""
    for _ in range(11):
        await api.create("Same")
    whole = [source["id"] for source in (await api("GET", f"{SOURCES}?sort={sort}")).data]
    for size in (1, 3, 11):
        paged: list[str] = []
        for number in range(1, 13):
            page = (await api("GET", f"{SOURCES}?sort={sort}&page[size]={size}&page[number]={number}")).data
            paged += [source["id"] for source in page]
        assert paged == whole


async def test_page_has_twenty_unless_told(api: Api) -> None:
    """A page has 20 sources if no size is given."""
    for _ in range(21):
        await api.create()
    assert len(await api.names()) == 20
    assert len(await api.names("page[number]=2")) == 1


@pytest.mark.parametrize(
    ("query", "code", "source"),
    [
        ("page[size]=0", "422.invalid-argument", "/page/size"),
        ("page[size]=-1", "422.invalid-argument", "/page/size"),
        ("page[size]=x", "422.invalid-argument", "/page/size"),
        ("page[size]=1001", "422.max-exceeded", "/page/size"),
        ("page[number]=0", "422.invalid-argument", "/page/number"),
        ("page[number]=" + "9" * 5000, "422.max-exceeded", "/page/number"),
        ("filter[search]=a%00b", "422.invalid-argument", "/filter/search"),
        ("sort=secret", "422.invalid-argument", "/sort"),
        ("filter[state]=gone", "422.invalid-argument", "/filter/state"),
        ("include=everything", "422.invalid-argument", "/include"),
        ("include=creators,", "422.invalid-argument", "/include"),
        ("meta=", "422.invalid-argument", "/meta"),
        ("meta=size", "422.invalid-argument", "/meta"),
    ],
)
async def test_list_refuses(api: Api, query: str, code: str, source: str) -> None:
    """A parameter that makes no sense is refused and named."""
    assert (await api("GET", f"{SOURCES}?{query}")).error == (422, code, source)


@pytest.mark.parametrize("name", ["sort", "filter[state]"])
@pytest.mark.parametrize("value", ["", ",", ",,"])
async def test_empty_parts_are_none(api: Api, name: str, value: str) -> None:
    """Sort keys and states that are empty are as good as absent; the description has no enum of them."""
    await api.create()
    assert (await api("GET", f"{SOURCES}?{name}={value}")).body == (await api("GET", SOURCES)).body


async def test_zeros_before_a_number(api: Api) -> None:
    """A number is what it is, however it is written."""
    await api.create()
    assert await api.names("page[size]=0000001&page[number]=00000000000001") == ["Web"]


async def test_includes_and_meta(api: Api) -> None:
    """Creators are included once, keyed by id and without their secret; meta counts the images in every state."""
    first = await api.create("a")
    await api.create("b")
    query = "include=creators,integrations&meta=images_count"
    for path in (f"{SOURCES}?{query}", f"{SOURCES}/{first['id']}?{query}"):
        body = (await api("GET", path)).body
        keys = body["includes"]["creators"]["api_keys"]
        assert list(keys) == [first["creator"]["id"]]
        assert "secret" not in keys[first["creator"]["id"]]
        assert body["includes"]["integrations"] == {}
        shown = body["data"][0] if isinstance(body["data"], list) else body["data"]
        states = {"new", "downloading", "building", "verifying", "saving", "live", "deleting"}
        assert shown["meta"]["images_count"] == {"total": 0, "state": dict.fromkeys(states, 0)}
    plain = (await api("GET", f"{SOURCES}/{first['id']}")).body
    assert "includes" not in plain
    assert "meta" not in plain["data"]
