"""What an administrator sets up: hubs, roles and API keys; each is found by its name, or made."""

import secrets
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection, RowMapping, insert, select, update

from imagesources.embedded import clock
from imagesources.embedded.access import ALL, digest
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.schema import api_keys, hubs, roles

OWNER = "owner"
"""The role that is above every ACL; each hub has it, and a key has it unless another is given."""


def ensure_hub(connection: Connection, name: str, hub_id: str | None = None) -> str:
    """Find or make a hub, with its owner role.

    Args:
        connection: within a transaction.
        name: the hub's name.
        hub_id: the id that it must have, if that matters; it is then found by that.

    Returns:
        The hub's id.

    Raises:
        ValueError: the id is no object id.
        sqlalchemy.exc.IntegrityError: a hub of that name has another id.
    """
    if hub_id is not None and not is_id(hub_id):
        raise ValueError("a hub id has 24 hex digits, in lower case")
    wanted = hubs.c.name == name if hub_id is None else hubs.c.id == hub_id
    found = connection.scalar(select(hubs.c.id).where(wanted))
    if found is None:
        found = hub_id or new_id()
        connection.execute(insert(hubs).values(id=found, name=name, created=clock.now()))
        ensure_role(connection, found, OWNER, root=True)
    return found


def ensure_role(connection: Connection, hub_id: str, identifier: str, *, root: bool = False) -> str:
    """Find or make a role of a hub.

    Args:
        connection: within a transaction.
        hub_id: the hub.
        identifier: the role's identifier, which ACLs name.
        root: whether a new role is above every ACL.

    Returns:
        The role's id.
    """
    found = connection.scalar(select(roles.c.id).where(roles.c.hub_id == hub_id, roles.c.identifier == identifier))
    if found is None:
        found = new_id()
        values = {"id": found, "hub_id": hub_id, "identifier": identifier, "root": root, "rank": 10 if root else 0}
        granted = {"all_capabilities": root, "capabilities": [], "extra": {}, "search": identifier.lower()}
        now = clock.now()
        connection.execute(insert(roles).values(**values, **granted, created=now, updated=now))
    return found


def issue_key(
    connection: Connection,
    hub_id: str,
    *,
    name: str,
    capabilities: AbstractSet[str] = ALL,
    role: str = OWNER,
    value: str | None = None,
) -> str:
    """Make an API key, or give the key of that name another value, other capabilities and another role.

    Args:
        connection: within a transaction.
        hub_id: the hub that the key is for.
        name: the key's name within the hub; its id, and so what it created, stays with the name.
        capabilities: what it may do.
        role: identifier of its role, which is made if the hub has none.
        value: the key itself; without it a new one is generated.

    Returns:
        The key itself. It is not stored: this is the only time that it can be seen.

    Raises:
        sqlalchemy.exc.IntegrityError: another key has this value, or there is no such hub.
    """
    value = value or secrets.token_urlsafe(32)
    values = {
        "name": name,
        "digest": digest(value),
        "role_id": ensure_role(connection, hub_id, role),
        "all_capabilities": capabilities >= ALL,
        "capabilities": sorted(capabilities),
        "updated": clock.now(),
    }
    found = connection.scalar(select(api_keys.c.id).where(api_keys.c.hub_id == hub_id, api_keys.c.name == name))
    if found is None:
        made = {"id": new_id(), "hub_id": hub_id, "created": values["updated"]}
        connection.execute(insert(api_keys).values(**values, **made))
    else:
        connection.execute(update(api_keys).where(api_keys.c.id == found).values(**values))
    return value


def key_exists(connection: Connection, hub_id: str, name: str) -> bool:
    """Tell whether a hub has a key of this name."""
    query = select(api_keys.c.id).where(api_keys.c.hub_id == hub_id, api_keys.c.name == name)
    return connection.scalar(query) is not None


def revoke_key(connection: Connection, hub_id: str, name: str) -> bool:
    """Make an API key useless, and tell whether there is one; it stays known as the creator of what it created."""
    nobody_knows = digest(secrets.token_urlsafe(32))
    of_name = (api_keys.c.hub_id == hub_id, api_keys.c.name == name)
    changed = update(api_keys).where(*of_name).values(digest=nobody_knows, updated=clock.now())
    return connection.execute(changed).rowcount == 1


def find_hub(connection: Connection, name: str | None = None) -> str:
    """Find a hub by its name or id; without one, the only hub that there is.

    Raises:
        ValueError: there is none, or it is not the only one.
    """
    query = select(hubs.c.id) if name is None else select(hubs.c.id).where((hubs.c.name == name) | (hubs.c.id == name))
    found = connection.scalars(query.limit(2)).all()
    if len(found) != 1:
        what = "there is no hub" if name is None else f"there is no hub {name!r}"
        raise ValueError("there are several hubs: name one" if found else what)
    return str(found[0])


def list_hubs(connection: Connection) -> Sequence[RowMapping]:
    """List all hubs."""
    return connection.execute(select(hubs).order_by(hubs.c.id)).mappings().all()


def list_roles(connection: Connection, hub_id: str) -> Sequence[RowMapping]:
    """List the roles of a hub."""
    return connection.execute(select(roles).where(roles.c.hub_id == hub_id).order_by(roles.c.id)).mappings().all()


def list_keys(connection: Connection, hub_id: str) -> Sequence[RowMapping]:
    """List the API keys of a hub, each with the identifier of its ``role``; nothing tells their values."""
    query = select(api_keys, roles.c.identifier.label("role")).join(roles, api_keys.c.role_id == roles.c.id)
    return connection.execute(query.where(api_keys.c.hub_id == hub_id).order_by(api_keys.c.id)).mappings().all()
