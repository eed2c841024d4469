"""The client over real HTTP against a platform, or a proxy in between, whose answers cannot be taken as they are."""

import asyncio
import email.utils
import gzip
import json
import time
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
from tests.support import documents
from tests.support.documents import JOB_ID, SOURCE_ID
from tests.support.facts import load_facts
from tests.support.hostile import always, answer
from tests.support.hostile_client import CALLS, KEY, platform, unanswered

from imagesources.platform.answers import MAX_RETRY_AFTER, retry_after
from imagesources.platform.capabilities import CAPABILITIES
from imagesources.platform.codes import DESCRIBED
from imagesources.platform.errors import Refused, Unanswered
from imagesources.platform.pointers import PROPERTIES, known_part


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    """A redirect is no answer, and nothing is sent to where it points."""
    failure = await unanswered(always(answer(status, raw=b"", Location="/v1/elsewhere")))
    assert "redirect" in str(failure)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 502, 503])
async def test_error_page_of_a_proxy(status: int) -> None:
    """An error in HTML proves nothing about the platform, a 404 least of all."""
    page = answer(status, raw=b"<html>no</html>", Content_Type="text/html", Retry_After="7")
    failure = await unanswered(always(page), CALLS["GET"])
    assert str(status) in str(failure)
    assert failure.retry_after == 7


async def test_server_error_with_envelope() -> None:
    """A 5xx may have been applied, also where the envelope has a code, which is shown."""
    failure = await unanswered(always(answer(500, documents.refusal(500, "500.database-insert"))))
    assert "500.database-insert" in str(failure)


async def test_server_error_dressed_as_refusal() -> None:
    """A 4xx with the code of a server error is not trusted to mean that nothing was applied."""
    await unanswered(always(answer(422, documents.refusal(422, "500.database-insert"))))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"data": NaN}',
        b'{"data": "\xff"}',
        b'{"data": "\\ud800"}',
        b'{"data": ' + b"9" * 5000 + b"}",
        b'{"data": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 60_000,
    ],
    ids=lambda raw: raw[:12].decode(errors="replace"),
)
async def test_malformed_body(raw: bytes) -> None:
    """A success whose body is no JSON object of modest depth is no answer."""
    await unanswered(always(answer(201, raw=raw)))


@pytest.mark.parametrize("media", ["text/html", "text/plain", "", "application/jsonp", "\x00", "application/json/x"])
async def test_content_type_must_be_json(media: str) -> None:
    """JSON that is not declared as such may come from anybody."""
    await unanswered(always(answer(200, {"data": documents.source()}, Content_Type=media)))


async def test_gzip_answer_is_read() -> None:
    """A compressed answer within the limits is an answer."""
    packed = gzip.compress(json.dumps({"data": documents.source()}).encode())
    async with platform(always(answer(200, raw=packed, Content_Encoding="gzip"))) as (client, _):
        assert (await client.get_source(SOURCE_ID)).name == "Web"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_compression_bomb(encoding: str) -> None:
    """A small body that grows beyond the limit, or an encoding that was not asked for, is cut off."""
    bomb = gzip.compress(b'{"data": "' + b"0" * 50_000_000 + b'"}')
    await unanswered(always(answer(200, raw=bomb, Content_Encoding=encoding)))


async def test_broken_gzip() -> None:
    """Compressed bytes that end early or are none are no answer."""
    packed = gzip.compress(json.dumps({"data": documents.source()}).encode())
    await unanswered(always(answer(201, raw=packed[:-9], Content_Encoding="gzip")))
    await unanswered(always(answer(201, raw=b"not gzip", Content_Encoding="gzip")))


async def test_oversized_body_with_length() -> None:
    """A body beyond the limit is not read to its end."""
    failure = await unanswered(always(answer(200, raw=b'{"data": "' + b"x" * 1_000_000 + b'"}')))
    assert "65536 bytes" in str(failure)


async def test_endless_chunked_body() -> None:
    """A body without an end stops at the limit, long before the deadline."""

    async def flood(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
            await writer.drain()

    failure = await unanswered(flood)
    assert "65536 bytes" in str(failure)


@pytest.mark.parametrize("change", [{"id": JOB_ID}, {"hub_id": "5f0000000000000000000002"}], ids=["id", "hub"])
async def test_wrong_echo(change: dict[str, str]) -> None:
    """An answer about another object or another hub is not believed."""
    wrong = always(answer(200, {"data": documents.source(**change)}))
    await unanswered(wrong, CALLS["GET"])
    await unanswered(wrong, CALLS["PATCH"])
    await unanswered(wrong, lambda client: client.update_access(SOURCE_ID, None))
    wrong_job = always(answer(200, {"data": documents.job(**(change | {"id": SOURCE_ID}))}))
    await unanswered(wrong_job, lambda client: client.get_job(JOB_ID))


async def test_wrong_hub_in_create_and_list() -> None:
    """A created or listed source of another hub is not believed."""
    wrong = documents.source(hub_id="5f0000000000000000000002")
    await unanswered(always(answer(201, {"data": wrong})))
    await unanswered(always(answer(200, {"data": [wrong]})), lambda client: client.list_page())


@pytest.mark.parametrize(
    "data",
    [None, [], {}, "text", documents.source(state={"current": "new"}), documents.source(id="../x")],
    ids=["null", "list", "empty", "text", "state", "id"],
)
async def test_misfit(data: object) -> None:
    """A document that does not fit the model is no answer, and only a field's name is shown."""
    failure = await unanswered(always(answer(200, {"data": data})))
    assert "does not fit Source" in str(failure)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("12", 12),
        (" 1.5 ", 1.5),
        ("-3", 0),
        ("9" * 400, MAX_RETRY_AFTER),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2195 07:28:00 GMT", MAX_RETRY_AFTER),
        ("Wed, 21 Oct 99999999 07:28:00 GMT", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
async def test_retry_after(header: str, seconds: float | None) -> None:
    """Retry-After is read as seconds or a date, and never negative or beyond the limit."""
    refused = answer(429, documents.refusal(429, "429.rate-limiting"), Retry_After=header)
    async with platform(always(refused)) as (client, _):
        with pytest.raises(Refused) as caught:
            await client.get_source(SOURCE_ID)
    assert (caught.value.code, caught.value.retry_after) == ("429.rate-limiting", seconds)


def test_retry_after_near_date() -> None:
    """A date in the near future is the time until then."""
    seconds = retry_after(email.utils.formatdate(time.time() + 90, usegmt=True))
    assert seconds is not None
    assert 85 < seconds <= 90


async def test_refusal() -> None:
    """The envelope becomes code, source and capability, in the message too."""
    extra = {"capability": "images-sources-manage"}
    body = documents.refusal(403, "403.permissions", source="/origin/details/target", extra=extra, detail=KEY)
    async with platform(always(answer(403, body))) as (client, _):
        with pytest.raises(Refused) as caught:
            await client.create_source({})
    failure = caught.value
    assert (failure.status, failure.code) == (403, "403.permissions")
    assert (failure.source, failure.capability) == ("/origin/details/target", "images-sources-manage")
    assert str(failure) == (
        "createImageSource: 403.permissions at /origin/details/target, the key lacks images-sources-manage"
    )


@pytest.mark.parametrize(
    ("pointer", "shown"),
    [
        ("/origin/details/repo/auth/credentials/password", "/origin/details/repo/auth/credentials/password"),
        ("/filter/state", "/filter/state"),
        ("/capabilities/specific/12", "/capabilities/specific/12"),
        ("/acl/roles/correct-horse/view", "/acl/roles"),
        ("/correct-horse/battery", ""),
        ("/name/1234/5678", "/name"),
        ("name", ""),
        ("/name" * 50, "/name" * 8),
        (["/name"], ""),
    ],
)
def test_pointer(pointer: object, shown: str) -> None:
    """Of what the platform points at, the names that requests have are shown, and no word of its own."""
    assert known_part(pointer) == shown


async def test_refusal_of_authentication() -> None:
    """A 401 in the OAuth shape is the platform's refusal; the same shape elsewhere is nobody's."""
    oauth = {"error": "invalid_token", "error_description": f"{KEY} has expired"}
    async with platform(always(answer(401, oauth))) as (client, _):
        with pytest.raises(Refused, match=r"^getImageSource: 401\.auth-invalid$"):
            await client.get_source(SOURCE_ID)
    await unanswered(always(answer(404, oauth)))


@pytest.mark.parametrize(
    "code",
    [
        None,
        7,
        "",
        "404",
        "gone",
        "404.image.source",
        "403." + "x" * 99,
        "403.Abc",
        "403.a\n",
        "403.send-money.to-mallory",
        [],
    ],
)
async def test_refusal_with_unusable_code(code: object) -> None:
    """A code that is missing, malformed or of another status never passes for one that has a meaning."""
    async with platform(always(answer(403, {"error": {"code": code}}))) as (client, _):
        with pytest.raises(Refused) as caught:
            await client.get_source(SOURCE_ID)
    assert caught.value.code == "403.unknown"


async def test_words_of_a_hostile_platform() -> None:
    """A capability that there is none, and a code that is not described, are not repeated."""
    error = {"code": "403.permissions", "extra": {"capability": "send-money-to-mallory"}}
    async with platform(always(answer(403, {"error": error}))) as (client, _):
        with pytest.raises(Refused, match=r"^getImageSource: 403\.permissions$"):
            await client.get_source(SOURCE_ID)
    async with platform(always(answer(503, {"error": {"code": "503.send-money"}}))) as (client, _):
        with pytest.raises(Unanswered, match=r"^getImageSource: HTTP 503$"):
            await client.get_source(SOURCE_ID)


def test_codes_are_those_described() -> None:
    """The codes and capabilities that the client believes are in the official description, and the latter are all."""
    schemas = load_facts()["components"]["schemas"]
    assert set(schemas["Error"]["properties"]["code"]["enum"]) >= DESCRIBED
    assert set(schemas["Capability"]["enum"]) == set(CAPABILITIES)


def test_properties_are_those_described() -> None:
    """The names that a pointer may have are exactly those of the bodies of the requests in the facts."""
    facts = load_facts()
    bodies = [op["requestBody"] for ops in facts["paths"].values() for op in ops.values() if "requestBody" in op]
    assert set(_names(facts, bodies, set())) == PROPERTIES


def _names(facts: dict[str, Any], node: Any, seen: set[str]) -> Iterator[str]:
    """Names of the properties in schemas, wherever they are."""
    if isinstance(node, list):
        for each in node:
            yield from _names(facts, each, seen)
    elif isinstance(node, dict):
        yield from node.get("properties", {})
        where = node.get("$ref")
        if where and where not in seen:
            seen.add(where)
            yield from _names(facts, reduce(lambda found, key: found[key], where.split("/")[1:], facts), seen)
        for each in node.values():
            yield from _names(facts, each, seen)
