"""The key goes to the platform and through nothing that the environment names."""

import pytest
from tests.support import documents
from tests.support.documents import HUB_ID, SOURCE_ID
from tests.support.hostile import always, answer, hostile

from imagesources.platform.client import Connection, HostPolicy, PlatformClient


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment of the operator, as a Pod's template may hold one, is not used."""
    reply = always(answer(200, {"data": documents.source()}))
    async with hostile(reply) as proxy, hostile(reply) as platform:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        policy = HostPolicy(allow_hosts=(f"127.0.0.1:{platform.port}",), allow_http=True)
        async with PlatformClient(Connection(platform.url, HUB_ID, "key"), policy) as client:
            assert (await client.get_source(SOURCE_ID)).id == SOURCE_ID
    assert (proxy.connections, len(platform.requests)) == (0, 1)
