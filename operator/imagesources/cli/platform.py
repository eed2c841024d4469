"""``imagesource-operator platform``: hubs, roles, API keys and integrations of an embedded platform.

Every command works on the database, whether the platform serves it at that moment or not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any

import click
from pydantic import StringConstraints, TypeAdapter, ValidationError
from sqlalchemy import Connection, RowMapping

from imagesources.cli.serve import DATABASE, friendly_errors
from imagesources.embedded import admin, clock, integrations
from imagesources.embedded.access import ALL
from imagesources.embedded.database import Database, Query, T
from imagesources.embedded.integrations import LONG, Identifier, LongName
from imagesources.embedded.requests import FilledName
from imagesources.embedded.vendors import VENDORS

_database = click.option("--database", **DATABASE)
_hub = click.option("--hub", metavar="HUB", help="Name or id of the hub.  [default: the only one]")


def like(kind: Any) -> Callable[[click.Context, click.Parameter, str | None], str | None]:  # noqa: ANN401 - no class
    """Make a callback that takes what the API takes for a property of an annotated type."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)

    def check(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        try:
            return value if value is None else adapter.validate_python(value)
        except ValidationError as error:
            raise click.BadParameter(error.errors()[0]["msg"]) from None

    return check


HubName = Annotated[str, StringConstraints(min_length=1, max_length=512)]


@click.group()
def platform() -> None:
    """Administer an embedded platform: hubs, roles, API keys, integrations."""


@platform.group("hub")
def hubs() -> None:
    """Hubs: each has its own sources, roles, keys and integrations."""


@hubs.command("create")
@click.argument("name", callback=like(HubName))
@click.option("--id", "hub_id", help="Its id, 24 hex digits.  [default: generated]")
@_database
def create_hub(database: str, name: str, hub_id: str | None) -> None:
    """Create a hub and print its id; a new database is made for the first one."""

    def query(connection: Connection) -> str:
        if any(name == hub["name"] or hub_id == hub["id"] for hub in admin.list_hubs(connection)):
            raise ValueError("there is a hub with this name or id")
        return admin.ensure_hub(connection, name, hub_id)

    click.echo(_do(database, query, Database.make))


@hubs.command("list")
@_database
def list_hubs(database: str) -> None:
    """List the hubs."""
    _table(_do(database, admin.list_hubs), ("id", "name", "created"))


@platform.group("role")
def roles() -> None:
    """Roles: the names that ACLs know."""


@roles.command("create")
@click.argument("identifier", callback=like(FilledName))
@click.option("--root", is_flag=True, help="Let the role stand above every ACL.")
@_hub
@_database
def create_role(database: str, hub: str | None, identifier: str, *, root: bool) -> None:
    """Create a role and print its id."""

    def query(connection: Connection) -> str:
        hub_id = admin.find_hub(connection, hub)
        if any(identifier == role["identifier"] for role in admin.list_roles(connection, hub_id)):
            raise ValueError("the hub has a role with this identifier")
        return admin.ensure_role(connection, hub_id, identifier, root=root)

    click.echo(_do(database, query))


@roles.command("list")
@_hub
@_database
def list_roles(database: str, hub: str | None) -> None:
    """List the roles of a hub."""
    rows = _do(database, lambda connection: admin.list_roles(connection, admin.find_hub(connection, hub)))
    _table(rows, ("id", "identifier", "root", "created"))


@platform.group("key")
def keys() -> None:
    """API keys: who may do what."""


@keys.command("create")
@click.argument("name", callback=like(FilledName))
@click.option("--role", default=admin.OWNER, show_default=True, help="Identifier of its role, which must be there.")
@click.option(
    "--capability",
    "capabilities",
    type=click.Choice(sorted(map(str, ALL))),
    multiple=True,
    help="What it may do; repeatable.  [default: everything]",
)
@_hub
@_database
def create_key(database: str, hub: str | None, name: str, role: str, capabilities: tuple[str, ...]) -> None:
    """Create an API key and print it: it is not stored, so this is the only time that it can be seen."""

    def query(connection: Connection) -> str:
        hub_id = admin.find_hub(connection, hub)
        if admin.key_exists(connection, hub_id, name):
            raise ValueError("the hub has an API key with this name")
        if not any(role == there["identifier"] for there in admin.list_roles(connection, hub_id)):
            raise ValueError(f"the hub has no role {role!r}")
        return admin.issue_key(
            connection, hub_id, name=name, role=role, capabilities=frozenset(capabilities) if capabilities else ALL
        )

    click.echo(_do(database, query))


@keys.command("revoke")
@click.argument("name")
@_hub
@_database
def revoke_key(database: str, hub: str | None, name: str) -> None:
    """Make an API key useless at once."""

    def query(connection: Connection) -> None:
        if not admin.revoke_key(connection, admin.find_hub(connection, hub), name):
            raise ValueError(f"the hub has no API key {name!r}")

    _do(database, query)


@keys.command("list")
@_hub
@_database
def list_keys(database: str, hub: str | None) -> None:
    """List the API keys of a hub, without their values."""
    rows = _do(database, lambda connection: admin.list_keys(connection, admin.find_hub(connection, hub)))
    shown = [{**row, "may": "everything" if row["all_capabilities"] else ",".join(row["capabilities"])} for row in rows]
    _table(shown, ("id", "name", "role", "may", "updated"))


@platform.group("integration")
def integration() -> None:
    """Integrations: what a source can name as its builder."""


@integration.command("create")
@click.argument("identifier", callback=like(Identifier))
@click.option("--name", callback=like(LongName), help="Its name.  [default: the identifier, if that has 5 characters]")
@click.option("--vendor", type=click.Choice(sorted(VENDORS)), default="depot", show_default=True)
@click.option("--api-key", envvar="IMAGESOURCES_VENDOR_KEY", help="How to sign in at the vendor.")
@_hub
@_database
def create_integration(
    database: str, hub: str | None, identifier: str, name: str | None, vendor: str, api_key: str | None
) -> None:
    """Create an integration and print its id."""
    if name is None and len(identifier) < LONG:
        raise click.UsageError(f"The identifier has less than {LONG} characters, so give a --name that has them.")
    values = {"identifier": identifier, "name": name or identifier, "vendor": vendor}
    auth = {"api_key": api_key} if api_key else None

    def query(connection: Connection) -> str:
        hub_id = admin.find_hub(connection, hub)
        if any(identifier == there["identifier"] for there in integrations.all_of(connection, hub_id)):
            raise ValueError("the hub has an integration with this identifier")
        return str(integrations.add(connection, hub_id, {**values, "auth": auth})["id"])

    click.echo(_do(database, query))


@integration.command("list")
@_hub
@_database
def list_integrations(database: str, hub: str | None) -> None:
    """List the integrations of a hub."""
    rows = _do(database, lambda connection: integrations.all_of(connection, admin.find_hub(connection, hub)))
    _table(rows, ("id", "identifier", "vendor", "state", "created"))


def _do(database: str, query: Query[T], opening: Callable[[str], Awaitable[Database]] = Database.existing) -> T:
    async def work() -> T:
        opened = await opening(database)
        try:
            return await opened.write(query)
        finally:
            await opened.close()

    with friendly_errors():
        return asyncio.run(work())


def _table(rows: Iterable[RowMapping | dict[str, object]], columns: Sequence[str]) -> None:
    """Print rows under a header, in columns as wide as what they hold."""
    table = [tuple(map(str.upper, columns)), *(tuple(_cell(row, column) for column in columns) for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    for cells in table:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _cell(row: RowMapping | dict[str, object], column: str) -> str:
    value = row[column]
    if column in ("created", "updated"):
        return clock.rfc3339(int(str(value)))
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
