"""``serve`` as a process: what it prints and refuses, TLS, its health and metrics, and that it stops cleanly."""

import asyncio
import json
import shutil
import signal
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psycopg
import pytest
from click.testing import CliRunner
from tests.support.embedded import NONE, SOURCES, Api, embedded_api
from tests.support.serving import HUB_ID, KEY, serving
from tests.support.waiting import wait_for

from imagesources.cli.serve import serve
from imagesources.embedded.tls import Certificate, TlsFiles

PAIRS = Path(__file__).parents[1] / "support" / "tls"
"""Two certificates for 127.0.0.1, valid for a hundred years, with their keys."""

BODY = json.dumps({"name": "Web", "type": "direct", "origin": NONE}).encode()
CREATE = f"POST {SOURCES} HTTP/1.1\r\nContent-Length: {len(BODY)}".encode()


async def test_prints_the_key_that_it_generated_once(database: str, tmp_path: Path) -> None:
    """The hub's id and a generated key are printed; later the key is still valid, but not known any more."""
    async with serving(database, tmp_path, key=None) as first:
        assert first.printed["hub id"] == HUB_ID
        assert (await first.api("GET", SOURCES)).status == 200
        assert await first.end(signal.SIGTERM) == 0
    generated = first.printed["api key"]
    async with serving(database, tmp_path, key=None) as second:
        assert generated not in second.printed["api key"]
        assert (await second.api("GET", SOURCES, Authorization=f"Bearer {generated}")).status == 200
    assert generated not in second.log.read_text()


async def test_never_prints_a_key_that_it_was_given(database: str, tmp_path: Path) -> None:
    """A key from the environment is accepted, and neither printed nor logged."""
    async with serving(database, tmp_path) as server:
        assert (await server.api("GET", SOURCES)).status == 200
        assert KEY not in str(server.printed)
    assert KEY not in server.log.read_text()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_stops_cleanly(database: str, tmp_path: Path, signum: signal.Signals) -> None:
    """A stop ends with code 0 in the middle of a job and with connections open, and leaves no traceback."""
    async with serving(database, tmp_path, "--step-seconds", "3600") as server:
        await server.api.delete((await server.api.create())["id"])
        assert await server.end(signum) == 0
    log = server.log.read_text()
    assert "has stopped" in log
    assert "Traceback" not in log


async def test_stop_answers_what_was_asked(database: str, tmp_path: Path) -> None:
    """A stop amid requests that the database holds up waits until each is answered."""
    async with serving(database, tmp_path) as server:
        with locked(database):
            asked = [await server.api.send(CREATE, more=BODY) for _ in range(5)]
            assert (await server.api("GET", SOURCES)).data == []  # it came last: the others were taken before
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(wait_for, lambda: refuses(server.api), what="the platform to take no more")
        assert [(await reader.read())[:13] for reader, _ in asked] == [b"HTTP/1.1 201 "] * 5
        assert await asyncio.wait_for(server.process.wait(), 20) == 0
        close(asked)
    async with serving(database, tmp_path) as server:
        assert await server.api.names() == ["Web"] * 5


async def test_stop_waits_for_no_body(database: str, tmp_path: Path) -> None:
    """A request whose body is on its way when the stop comes is cut off at once, and has no effect."""
    async with serving(database, tmp_path) as server:
        reader, writer = await server.api.send(CREATE, more=BODY[:-1])
        await server.api("GET", SOURCES)
        began = time.monotonic()
        assert await server.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5
        assert await reader.read() == b""
        close([(reader, writer)])
    assert "Traceback" not in server.log.read_text()
    async with serving(database, tmp_path) as server:
        assert await server.api.names() == []


@contextmanager
def locked(database: str) -> Iterator[None]:
    """Holds up all writes of sources."""
    if database.startswith("sqlite:///"):
        connection = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.close()
        return
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE sources IN SHARE MODE")
        yield


def refuses(api: Api) -> bool:
    """Tells whether the platform takes no connections any more."""
    try:
        socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))).close()
    except ConnectionError:
        return True
    return False


def close(connections: Iterable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """Closes connections."""
    for _, writer in connections:
        writer.close()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--listen", "nowhere"], "no host:port"),
        (["--database", "sqlite://"], "must be a file"),
        (["--database", "nonsense"], "database URL"),
        (["--database", "nosuch://host/db"], "no driver for nosuch"),
        (["--database", "postgresql://user:s3cret@127.0.0.1:1/db"], "Connection refused"),
        (["--hub-id", "x", "--listen", "127.0.0.1:0"], "24 hex"),
        (["--tls-cert", str(PAIRS / "first.crt")], "belong together"),
        (
            ["--tls-cert", str(PAIRS / "first.crt"), "--tls-key", str(PAIRS / "second.key")],
            "no certificate and its key",
        ),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], message: str) -> None:
    """Settings that make no sense end the command with one line that says so, without a secret."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(serve, flags)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "s3cret" not in result.output


async def test_serves_https(tmp_path: Path, database: str) -> None:
    """With a certificate and its key, https is served to those who trust it, and its url says so."""
    trust = ssl.create_default_context(cafile=str(PAIRS / "first.crt"))
    flags = ("--tls-cert", str(PAIRS / "first.crt"), "--tls-key", str(PAIRS / "first.key"))
    async with serving(database, tmp_path, *flags, connector=aiohttp.TCPConnector(ssl=trust)) as server:
        assert server.printed["url"].startswith("https://127.0.0.1:")
        assert (await server.api("GET", SOURCES)).status == 200
        with pytest.raises(aiohttp.ClientError):
            await server.api.session.get(server.printed["url"], ssl=ssl.create_default_context())


async def test_certificate_is_renewed(tmp_path: Path) -> None:
    """A replaced pair is used for new connections; half a pair, or none, leaves the old one in use."""
    files = TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    replace(files, "first", "crt", "key")
    certificate = Certificate(files)
    async with await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", ssl=certificate.context
    ) as server:
        port = int(server.sockets[0].getsockname()[1])
        assert await subject(port) == "first"
        replace(files, "second", "crt")
        certificate.renew()
        assert await subject(port) == "first"
        files.key.unlink()
        certificate.renew()
        assert await subject(port) == "first"
        replace(files, "second", "key")
        certificate.renew()
        assert await subject(port) == "second"


def replace(files: TlsFiles, pair: str, *suffixes: str) -> None:
    """Puts files of a pair in place."""
    for suffix, path in (("crt", files.certificate), ("key", files.key)):
        if suffix in suffixes:
            path.unlink(missing_ok=True)
            shutil.copy(PAIRS / f"{pair}.{suffix}", path)


async def subject(port: int) -> str:
    """Connects, trusting both certificates, and returns the common name of the one that was shown."""
    trust = ssl.create_default_context(cafile=str(PAIRS / "first.crt"))
    trust.load_verify_locations(PAIRS / "second.crt")
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    shown = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return str(shown["subject"][0][0][1])


async def test_metrics(database: str) -> None:
    """Requests are counted by operation and status code, their durations beside, and jobs by state; no key is asked."""
    async with embedded_api(database) as api:
        source = await api.create()
        await api("GET", f"{SOURCES}/{source['id']}")
        await api("GET", f"{SOURCES}/{'0' * 24}")
        await api("PUT", "/coffee")
        await api.ended(await api.delete(source["id"]))
        lines = (await scrape(api)).splitlines()
    one = 'operation="GET /v1/images/sources/{source_id}"'
    assert f'imagesource_embedded_requests_total{{code="200",{one}}} 1.0' in lines
    assert f'imagesource_embedded_requests_total{{code="404",{one}}} 1.0' in lines
    assert f"imagesource_embedded_request_seconds_count{{{one}}} 2.0" in lines
    assert 'imagesource_embedded_requests_total{code="404",operation="other"} 1.0' in lines
    assert 'imagesource_embedded_jobs{state="completed"} 1.0' in lines
    assert 'imagesource_embedded_jobs{state="running"} 0.0' in lines


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_body_that_is_not_compressed(database: str, caplog: pytest.LogCaptureFixture, encoding: str) -> None:
    """A body that is not what its encoding says is the client's mistake: 400, and nothing is logged as an error."""
    async with embedded_api(database) as api:
        for _ in range(2):
            refused = await api("POST", SOURCES, raw=b"\xff" * 100, Content_Encoding=encoding)
            assert refused.error == (400, "400.invalid-syntax", None)
    assert not [record for record in caplog.records if record.levelname not in ("INFO", "DEBUG")]


@pytest.mark.parametrize("length", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_client_that_leaves(database: str, caplog: pytest.LogCaptureFixture, length: bytes) -> None:
    """A client that goes before its body has come is no error, and nothing is counted as answered."""
    async with embedded_api(database) as api:
        _, writer = await api.send(f"POST {SOURCES} HTTP/1.1\r\n".encode() + length, more=b"5\r\n{")
        await api("GET", SOURCES)
        writer.close()
        await api("GET", SOURCES)
        counted = await scrape(api)
    assert "POST" not in counted
    assert not [record for record in caplog.records if record.levelname not in ("INFO", "DEBUG")]


async def test_no_http_is_logged_without_values(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """A header that is too long is refused, and no part of it is logged."""
    async with embedded_api(database) as api:
        reader, writer = await api.send(b"GET / HTTP/1.1\r\nX-Api-Key: s3cret" + b"x" * 10_000)
        assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
        writer.close()
    assert "s3cret" not in caplog.text


async def scrape(api: Api) -> str:
    """Reads the metrics as Prometheus does."""
    async with api.session.get(f"{api.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()
