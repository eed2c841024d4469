"""Who asks, and what they may do: API keys, capabilities, roles and ACLs."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, select

from imagesources.embedded.errors import ApiError, NotAuthenticated
from imagesources.embedded.ids import is_id
from imagesources.embedded.schema import api_keys, hubs, roles
from imagesources.platform.models import Json

Privilege = Literal["view", "modify", "manage"]


class Capability(StrEnum):
    """The capabilities that the operations served here ask for (schema ``Capability`` has more)."""

    SOURCES_VIEW = "images-sources-view"
    SOURCES_MANAGE = "images-sources-manage"
    IMAGES_VIEW = "images-view"
    IMAGES_MANAGE = "images-manage"
    INTEGRATIONS_VIEW = "hubs-integrations-view"
    INTEGRATIONS_MANAGE = "hubs-integrations-manage"
    ROLES_MANAGE = "hubs-roles-manage"
    JOBS_VIEW = "apionly-jobs-view"
    NOTIFICATIONS_LISTEN = "apionly-notifications-listen"


ALL: frozenset[str] = frozenset(Capability)
"""A key with all of these has every capability, also one that is served later."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an API key within its hub.

    Attributes:
        key_id: id of the API key; it is the creator of what it creates.
        hub_id: the hub that the key belongs to.
        roles: the names that an ACL can have for the key's role: its identifier and its id.
        rank: of the role; it may change roles of a lower one.
        root: the role is above every ACL, and every rank.
        capabilities: None means all.
    """

    key_id: str
    hub_id: str
    roles: tuple[str, ...]
    rank: int
    root: bool
    capabilities: frozenset[str] | None

    def has(self, capability: Capability) -> bool:
        """Tell whether the caller has this capability."""
        return self.capabilities is None or capability in self.capabilities

    def require(self, capability: Capability) -> None:
        """Refuse a caller without this capability.

        Raises:
            ApiError: 403.permissions, naming the capability.
        """
        if not self.has(capability):
            raise ApiError(
                "403.permissions",
                "Permission denied",
                detail=f"The API key lacks the capability {capability}.",
                capability=capability,
            )

    def may(self, acl: Json | None, privilege: Privilege) -> bool:
        """Tell whether the caller's role has this privilege on a resource; without an ACL everybody has all of them."""
        if acl is None or self.root:
            return True
        entries: Json = acl.get("roles", {})
        return any(entries.get(role, {}).get(privilege) for role in self.roles)

    def require_privilege(self, acl: Json | None, privilege: Privilege) -> None:
        """Refuse a caller whose role lacks this privilege on a resource.

        Raises:
            ApiError: 403.permissions. It is no 404, as the source is there.
        """
        if not self.may(acl, privilege):
            raise ApiError(
                "403.permissions",
                "Permission denied",
                detail=f"The ACL of the resource does not grant {privilege} to the role of the API key.",
            )


def digest(key: str) -> str:
    """Hash an API key for storage and look-up."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def viewers(acl: Json | None) -> Iterable[str]:
    """List the roles that an ACL lets view."""
    entries: Json = (acl or {}).get("roles", {})
    return (role for role, entry in entries.items() if entry["view"])


_HOLDERS = select(api_keys, roles.c.identifier, roles.c.rank, roles.c.root).join(
    roles, api_keys.c.role_id == roles.c.id
)

_BY_DIGEST = _HOLDERS.where(api_keys.c.digest == bindparam("digest"))


def authenticate(connection: Connection, key: str, hub_id: str, *, hub_required: bool = True) -> Caller:
    """Find who holds this key, and check that it is one of this hub.

    Args:
        connection: within a transaction.
        key: the key itself.
        hub_id: the hub that is named; an empty text if none is.
        hub_required: whether one has to be named; else it is the key's own.

    Raises:
        NotAuthenticated: nobody holds the key.
        ApiError: 422.missing-argument, 404.hub or 403.wrong-hub.
    """
    row = connection.execute(_BY_DIGEST, {"digest": digest(key)}).one_or_none()
    if row is None:
        raise NotAuthenticated("The API key is not valid.")
    if not hub_id and not hub_required:
        return _caller(row)
    if not hub_id:
        raise ApiError("422.missing-argument", "Missing argument", detail="The header X-Hub-Id is required.")
    if row.hub_id != hub_id:
        if not is_id(hub_id) or connection.scalar(select(hubs.c.id).where(hubs.c.id == hub_id)) is None:
            raise ApiError("404.hub", "Hub not found", detail="X-Hub-Id names no hub.")
        raise ApiError("403.wrong-hub", "Wrong hub", detail="The API key belongs to another hub.")
    return _caller(row)


def holder(connection: Connection, key_id: str) -> tuple[Caller, str] | None:
    """Find an API key by its id; returns who holds it, and its digest."""
    row = connection.execute(_HOLDERS.where(api_keys.c.id == key_id)).one_or_none()
    return row and (_caller(row), row.digest)


def _caller(row: Row[Any]) -> Caller:
    return Caller(
        key_id=row.id,
        hub_id=row.hub_id,
        roles=(row.identifier, row.role_id),
        rank=row.rank,
        root=row.root,
        capabilities=None if row.all_capabilities else frozenset(row.capabilities),
    )
