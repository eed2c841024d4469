"""``platform``: what an administrator sets up on the database takes effect on the platform that serves it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text
from tests.support.embedded import SOURCES, embedded_api, write

from imagesources.cli.platform import platform

Run = Callable[..., str]


def invoke(database: str, *arguments: str, fails: bool = False) -> str:
    """Runs ``platform`` with arguments and returns what it prints; a failure is expected where it ``fails``."""
    result = CliRunner().invoke(platform, arguments, env={"IMAGESOURCES_DATABASE": database})
    assert (result.exit_code in (1, 2)) == fails, result.output
    return result.output.strip()


@pytest.fixture
def run(database: str) -> Run:
    """``invoke`` on a database."""
    return partial(invoke, database)


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


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("hub", "create", ""), "'NAME'"),
        (("hub", "create", "x" * 513), "'NAME'"),
        (("role", "create", ""), "'IDENTIFIER'"),
        (("role", "create", "x" * 256), "'IDENTIFIER'"),
        (("key", "create", ""), "'NAME'"),
        (("key", "create", "x" * 256), "'NAME'"),
        (("integration", "create", "xx"), "'IDENTIFIER'"),
        (("integration", "create", "farm"), "--name"),
        (("integration", "create", "farm", "--name", "Farm"), "'--name'"),
        (("integration", "create", "x" * 256), "'IDENTIFIER'"),
    ],
)
def test_takes_what_the_api_takes(run: Run, arguments: tuple[str, ...], named: str) -> None:
    """A value that the API would refuse is refused with the name of the argument, on either database."""
    run("hub", "create", "acme")
    assert named in run(*arguments, fails=True)
    for kind, there in (("hub", 1), ("role", 1), ("key", 0), ("integration", 0)):
        assert len(run(kind, "list").splitlines()) == 1 + there


LISTS = [(kind, "list") for kind in ("hub", "role", "key", "integration")]


@pytest.mark.parametrize("arguments", [*LISTS, ("role", "create", "new"), ("key", "revoke", "ci")])
def test_makes_no_database(blank: str, arguments: tuple[str, ...]) -> None:
    """What only works with a hub makes no database, and leaves an empty one as it is."""
    for _ in range(2):
        assert "hub create" in invoke(blank, *arguments, fails=True)
    assert not Path(blank.removeprefix("sqlite:///")).exists()
    invoke(blank, "hub", "create", "acme")
    assert "acme" in invoke(blank, "hub", "list")


@pytest.mark.parametrize("arguments", [*LISTS, ("hub", "create", "new")])
async def test_migrates_no_database(blank: str, arguments: tuple[str, ...]) -> None:
    """A database of an older version, which such a one may serve, is left alone; that of a newer one is, too."""
    await write(blank, lambda _: None)
    for version, said in (("0001", "older version"), ("9999", "newer version")):
        await asyncio.to_thread(set_version, blank, version)
        assert said in await asyncio.to_thread(invoke, blank, *arguments, fails=True)


def set_version(database: str, version: str) -> None:
    """Says that a database is of another version."""
    engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()


async def test_hub_must_be_named_if_there_are_several(run: Run, database: str) -> None:
    """The only hub needs no name; where there is none, or several, a command says so."""
    await write(database, lambda _: None)
    await asyncio.to_thread(name_hubs, run)


def name_hubs(run: Run) -> None:
    """Makes one hub after the other."""
    assert "no hub" in run("key", "create", "ci", fails=True)
    for name in ("one", "other"):
        run("hub", "create", name)
    assert "several hubs" in run("key", "create", "ci", fails=True)
    run("key", "create", "ci", "--hub", "other")
