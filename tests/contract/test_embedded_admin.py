"""``platform``: what an administrator sets up on the database takes effect on the platform that serves it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from click.testing import CliRunner
from tests.support.embedded import SOURCES, embedded_api

from imagesources.cli.platform import platform

Run = Callable[..., str]


@pytest.fixture
def run(database: str) -> Run:
    """Runs ``platform`` with arguments and returns what it prints; a failure is ``fails`` by its exit code."""

    def invoke(*arguments: str, fails: bool = False) -> str:
        result = CliRunner().invoke(platform, arguments, env={"IMAGESOURCES_DATABASE": database})
        assert result.exit_code == int(fails), result.output
        return result.output.strip()

    return invoke


async def test_key_of_a_new_hub(database: str, run: Run) -> None:
    """A hub, a role and a key made on the database can be used at once, with the capabilities and the role chosen."""
    async with embedded_api(database) as api:
        hub_id = await asyncio.to_thread(run, "hub", "create", "acme")
        await asyncio.to_thread(run, "role", "create", "developer", "--hub", "acme")
        chosen = ("--role", "developer", "--capability", "images-sources-view")
        key = await asyncio.to_thread(run, "key", "create", "ci", "--hub", hub_id, *chosen)
        reader = replace(api, hub_id=hub_id, key=key)
        assert await reader.names() == []
        refused = await reader("POST", SOURCES, {})
        assert refused.body["error"]["extra"] == {"capability": "images-sources-manage"}
        await asyncio.to_thread(run, "key", "revoke", "ci", "--hub", "acme")
        assert (await reader("GET", SOURCES)).status == 401


async def test_integration_can_build(database: str, run: Run) -> None:
    """An integration made on the database can be named as a builder."""
    async with embedded_api(database) as api:
        made = await asyncio.to_thread(run, "integration", "create", "fast-builds", "--api-key", "s3cret")
        source = await api.create(builder={"integration_id": "fast-builds"})
        shown = await api("GET", f"{SOURCES}/{source['id']}?include=integrations")
        assert list(shown.body["includes"]["integrations"]) == [made]
        assert "s3cret" not in str(shown.body)


def test_lists(run: Run) -> None:
    """Everything that was made is listed, aligned, and nothing tells a key."""
    hub_id = run("hub", "create", "acme")
    role_id = run("role", "create", "developer")
    key = run("key", "create", "all")
    run("key", "create", "some", "--capability", "images-sources-view", "--capability", "images-view")
    integration_id = run("integration", "create", "fast-builds")
    assert run("hub", "list").splitlines()[1].split()[:2] == [hub_id, "acme"]
    assert [line.split()[1:3] for line in run("role", "list").splitlines()[1:]] == [
        ["owner", "yes"],
        ["developer", "no"],
    ]
    assert role_id in run("role", "list", "--hub", hub_id)
    held = [line.split()[1:4] for line in run("key", "list").splitlines()[1:]]
    assert held == [["all", "owner", "everything"], ["some", "owner", "images-sources-view,images-view"]]
    assert key not in run("key", "list")
    assert run("integration", "list").splitlines()[1].split()[:4] == [integration_id, "fast-builds", "depot", "live"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hub", "create", "acme"), "this name or id"),
        (("hub", "create", "new", "--id", "x"), "24 hex"),
        (("role", "create", "owner"), "role with this identifier"),
        (("role", "create", "new", "--hub", "nope"), "no hub 'nope'"),
        (("key", "create", "there"), "key with this name"),
        (("key", "create", "new", "--role", "nope"), "no role 'nope'"),
        (("key", "revoke", "nope"), "no API key 'nope'"),
        (("integration", "create", "builds"), "integration with this identifier"),
    ],
)
def test_says_what_is_wrong(run: Run, arguments: tuple[str, ...], message: str) -> None:
    """What cannot be done is said in one line."""
    run("hub", "create", "acme")
    run("key", "create", "there")
    run("integration", "create", "builds")
    assert message in run(*arguments, fails=True)


def test_hub_must_be_named_if_there_are_several(run: Run) -> None:
    """The only hub needs no name; where there is none, or several, a command says so."""
    assert "no hub" in run("key", "create", "ci", fails=True)
    for name in ("one", "other"):
        run("hub", "create", name)
    assert "several hubs" in run("key", "create", "ci", fails=True)
    run("key", "create", "ci", "--hub", "other")
