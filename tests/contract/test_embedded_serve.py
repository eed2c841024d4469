"""``serve`` as a process: what it prints and refuses, TLS, its health and metrics, and that it stops cleanly."""

import asyncio
import shutil
import signal
import ssl
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner
from tests.support.embedded import SOURCES, Api, embedded_api
from tests.support.serving import HUB_ID, KEY, serving

from imagesources.cli.serve import serve
from imagesources.embedded.tls import Certificate, TlsFiles

PAIRS = Path(__file__).parents[1] / "support" / "tls"
"""Two certificates for 127.0.0.1, valid for a hundred years, with their keys."""


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
    """A stop amid many requests answers those that it took: what was not answered was not applied."""
    async with serving(database, tmp_path) as server:
        writes = [asyncio.create_task(server.api.create(f"s{n}")) for n in range(60)]
        await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
        assert await server.end(signal.SIGTERM) == 0
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
    answered = {outcome["name"] for outcome in outcomes if isinstance(outcome, dict)}
    async with serving(database, tmp_path) as server:
        assert set(await server.api.names("page[size]=100")) == answered


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


async def scrape(api: Api) -> str:
    """Reads the metrics as Prometheus does."""
    async with api.session.get(f"{api.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()
