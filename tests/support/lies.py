"""What a hostile platform, or a proxy on the way to an honest one, may say instead of the truth."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.support.documents import refusal
from tests.support.hostile import answer

CANARY = "canary-Text-0451"
ELSEWHERE = "/v1/elsewhere"
"""Where redirects point: nobody may ever ask for it."""

MIB = 1024 * 1024
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Send = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]
"""Sends something, given the connection and the honest answer; closes the connection where no other can follow."""


@dataclass(frozen=True)
class Lie:
    """What is said, and what it comes down to.

    Attributes:
        send: says it.
        means: "nothing" (no answer that can be believed), "wrong hub", "wait" or "refused".
        lasting: it ends with a person's word only, as it would for an honest platform: an hour to wait, a refusal.
    """

    send: Send
    means: str = "nothing"
    lasting: bool = False


def _says(raw: bytes) -> Send:
    async def send(writer: asyncio.StreamWriter, _truth: bytes) -> None:
        writer.write(raw)
        await writer.drain()

    return send


def _streams(head: bytes, chunk: bytes, *, pause: float = 0) -> Send:
    """Begins an answer that has no end worth waiting for."""

    async def send(writer: asyncio.StreamWriter, _truth: bytes) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)

    return send


async def _truncated(writer: asyncio.StreamWriter, truth: bytes) -> None:
    writer.write(truth[:-5])
    await writer.drain()
    writer.close()


async def _closed(writer: asyncio.StreamWriter, _truth: bytes) -> None:
    writer.close()


def _altered(**changes: object) -> Send:
    """Tells the truth about another object."""

    async def send(writer: asyncio.StreamWriter, truth: bytes) -> None:
        document = json.loads(truth.partition(b"\r\n\r\n")[2])
        data = document["data"]
        for each in data if isinstance(data, list) else [data]:
            each.update(changes)
        writer.write(answer(200, document))
        await writer.drain()

    return send


def _refuses(status: int, code: str, retry_after: str = "", **details: object) -> Send:
    headers = {"Retry_After": retry_after} if retry_after else {}
    return _says(answer(status, refusal(status, code, **details), **headers))


def _packed(plain: bytes) -> Send:
    return _says(answer(200, raw=gzip.compress(plain), Content_Encoding="gzip"))


_TEXT = f"\x1b[31m{CANARY}\x1b[0m\r\n" + "x" * MIB

LIES = {
    "malformed": Lie(_says(answer(200, raw=b'{"data": '))),
    "no-object": Lie(_says(answer(200, [1, 2]))),
    "wrong-types": Lie(_says(answer(200, {"data": {"id": 7, "state": [], "name": {}}}))),
    "wrong-id": Lie(_altered(id="f" * 24)),
    "wrong-hub": Lie(_altered(hub_id="f" * 24)),
    "gigabyte": Lie(_streams(_JSON + b"Content-Length: 1073741824\r\n\r\n", b" " * 65536)),
    "endless": Lie(_streams(_JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n")),
    "slow-loris": Lie(_streams(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"z", pause=0.5)),
    "gzip-bomb": Lie(_packed(b'{"data": "' + b"0" * (50 * MIB) + b'"}')),
    "depth-bomb": Lie(_packed(b'{"data": ' + b"[" * MIB + b"]" * MIB + b"}")),
    "width-bomb": Lie(_packed(b'{"data": [' + b"{}," * MIB + b"{}]}")),
    "truncated": Lie(_truncated),
    "closed": Lie(_closed),
    "charset": Lie(_says(answer(200, raw='{"data": "ü"}'.encode("latin-1")))),
    "utf-16": Lie(
        _says(answer(200, raw='{"data": []}'.encode("utf-16"), Content_Type="application/json; charset=utf-16"))
    ),
    "huge-header": Lie(_says(b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * MIB + b"\r\n\r\n")),
    "many-headers": Lie(_says(b"HTTP/1.1 200 OK\r\n" + b"X-Many: y\r\n" * 50_000 + b"\r\n")),
    "no-http": Lie(_says(b"SSH-2.0-Open\r\n\r\n")),
    "html-404": Lie(_says(answer(404, raw=b"<html>nginx</html>", Content_Type="text/html"))),
    "html-200": Lie(_says(answer(200, raw=b"<html>sign in</html>", Content_Type="text/html"))),
    "unknown-uri": Lie(_refuses(404, "404.uri"), "refused", lasting=True),
    "unknown-hub": Lie(_refuses(404, "404.hub"), "wrong hub"),
    "redirect": Lie(_says(answer(302, raw=b"", Location=ELSEWHERE))),
    "server-error": Lie(_refuses(500, "500.database", title=_TEXT)),
    "wait-negative": Lie(_refuses(429, "429.rate-limiting", "-5"), "wait"),
    "wait-garbage": Lie(_refuses(429, "429.rate-limiting", f"soon {CANARY}"), "wait"),
    "wait-for-ever": Lie(_refuses(429, "429.rate-limiting", "9" * 400), "wait", lasting=True),
    "hostile-text": Lie(
        _refuses(422, "422.invalid-input", title=_TEXT, detail=_TEXT, source=_TEXT), "refused", lasting=True
    ),
    "hostile-code": Lie(_refuses(422, f"422.{CANARY}\x1b[0m"), "refused", lasting=True),
}
"""By name. Nothing here is told from the truth by a lucky guess: an honest ``404.image.source`` is not among them."""
