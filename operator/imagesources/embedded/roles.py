"""The roles of a hub: which names an ACL can have, and who is above it.

An API key has its own capabilities; those of a role are kept for the members of a hub, which are not served here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from imagesources.embedded import clock, events, jobs
from imagesources.embedded.access import Caller
from imagesources.embedded.errors import ApiError, invalid_argument
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.lifecycle import Lifecycle
from imagesources.embedded.listing import Columns, Listing
from imagesources.embedded.origins import Body, Text
from imagesources.embedded.plans import Plan, Step, Task
from imagesources.embedded.requests import FilledName, Name, sent
from imagesources.embedded.schema import api_keys, roles
from imagesources.platform.capabilities import CAPABILITIES
from imagesources.platform.models import Json

FILTERS: Final = ("identifier", "search")
SORT_KEYS: Final[Columns] = {key: roles.c[key] for key in ("id", "name", "identifier", "rank", "created", "updated")}

ROLES: Final = Lifecycle(roles, "hub.role")
"""The changes of roles."""

HIGHEST_RANK: Final = 10
"""The owner's rank."""


def _whole(value: object) -> object:
    """Take 6.0 for 6, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Rank = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=HIGHEST_RANK)]


class Capabilities(Body):
    """What a role's members may do."""

    all: bool
    specific: tuple[Text, ...] = Field(strict=False)


class WrittenRole(Body):
    """The body of ``createRole`` and of ``updateRole``, which both require identifier and rank."""

    identifier: FilledName
    rank: Rank
    name: Name | None = None
    capabilities: Capabilities | None = None
    extra: dict[Text, Text] | None = None


@dataclass(frozen=True, slots=True)
class RoleStore:
    """What one caller may do with the roles of a hub. Every method takes the connection of its transaction."""

    caller: Caller

    def page(self, connection: Connection, listing: Listing) -> Sequence[RowMapping]:
        """List the roles."""
        query = select(roles).where(roles.c.hub_id == self.caller.hub_id)
        if "identifier" in listing.filters:
            query = query.where(roles.c.identifier == listing.filters["identifier"])
        if "search" in listing.filters:
            query = query.where(roles.c.search.contains(listing.filters["search"].lower(), autoescape=True))
        return connection.execute(listing.arrange(query, SORT_KEYS)).mappings().all()

    def get(self, connection: Connection, role_id: str) -> RowMapping:
        """Find a role.

        Raises:
            ApiError: 404.hub.role.
        """
        return self._find(connection, role_id, lock=False)

    def create(self, connection: Connection, wanted: WrittenRole) -> RowMapping:
        """Add a role.

        Raises:
            ApiError: 403.not-allowed for a rank that is not below the caller's; 422.invalid-argument.
            sqlalchemy.exc.IntegrityError: the hub has a role with this identifier.
        """
        self._require_above(wanted.rank)
        role_id, now = new_id(), clock.now()
        absent: Json = {"name": None, "all_capabilities": False, "capabilities": [], "extra": {}}
        values = absent | _columns(wanted) | {"id": role_id, "hub_id": self.caller.hub_id, "root": False}
        by = {"creator_id": self.caller.key_id, "created": now, "updated": now}
        connection.execute(insert(roles).values(**values, **by, search=searchable(values)))
        return ROLES.added(connection, role_id)

    def update(self, connection: Connection, role_id: str, wanted: WrittenRole) -> RowMapping:
        """Replace the properties that were sent; ACLs that name the role by its identifier are not changed.

        Raises:
            ApiError: 404.hub.role; 403.not-allowed for a root role and ranks not below the caller's;
                422.invalid-argument.
            sqlalchemy.exc.IntegrityError: the hub has another role with this identifier.
        """
        row = self._changeable(connection, role_id)
        self._require_above(row["rank"])
        self._require_above(wanted.rank)
        changes = _columns(wanted)
        return ROLES.change(connection, role_id, **changes, search=searchable({**row, **changes}))

    def delete(self, connection: Connection, role_id: str) -> RowMapping:
        """Start the job that deletes a role; until it has ended, the role is there.

        Raises:
            ApiError: 404.hub.role; 403.not-allowed for a root role, a rank not below the caller's, or while API keys
                have the role.
        """
        row = self._changeable(connection, role_id)
        self._require_above(row["rank"])
        if api_key_counts(connection, [row]):
            raise ApiError("403.not-allowed", "Not allowed", detail="API keys have this role.")
        return jobs.start(connection, self.caller, REMOVE, row)

    def _find(self, connection: Connection, role_id: str, *, lock: bool) -> RowMapping:
        query = select(roles).where(roles.c.id == role_id, roles.c.hub_id == self.caller.hub_id)
        if lock:
            query = query.with_for_update()
        row = connection.execute(query).mappings().one_or_none() if is_id(role_id) else None
        if row is None:
            raise ApiError("404.hub.role", "Role not found")
        return row

    def _changeable(self, connection: Connection, role_id: str) -> RowMapping:
        row = self._find(connection, role_id, lock=True)
        if row["root"]:
            raise ApiError("403.not-allowed", "Not allowed", detail="A root role stays as it is.")
        return row

    def _require_above(self, rank: int) -> None:
        if not self.caller.root and rank >= self.caller.rank:
            raise ApiError("403.not-allowed", "Not allowed", detail="The rank is not below that of your role.")


def api_key_counts(connection: Connection, rows: Sequence[RowMapping]) -> dict[str, int]:
    """Count the API keys of these roles, by role id; roles without keys are not in it."""
    ids = [row["id"] for row in rows]
    query = select(api_keys.c.role_id, func.count()).where(api_keys.c.role_id.in_(ids)).group_by(api_keys.c.role_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def searchable(row: Mapping[str, Any]) -> str:
    """Collect what a search looks through."""
    return "\n".join(part for part in (row["name"], row["identifier"]) if part).lower()


def _columns(wanted: WrittenRole) -> Json:
    """Write what was sent as columns; null means what a new role has."""
    values = sent(wanted)
    if "extra" in values:
        values["extra"] = values["extra"] or {}
    if "capabilities" in values:
        granted = values["capabilities"] or {"all": False, "specific": []}
        if not set(granted["specific"]) <= set(CAPABILITIES):
            raise invalid_argument("/capabilities/specific", "There is no such capability.")
        values |= {"all_capabilities": granted["all"], "capabilities": granted["specific"]}
    return values


def _remove(connection: Connection, role_id: str) -> None:
    """Take a role out of the hub.

    Raises:
        ValueError: an API key was given the role meanwhile, so the job fails.
    """
    row = ROLES.row(connection, role_id)
    if api_key_counts(connection, [row]):
        raise ValueError("an API key was given the role")
    connection.execute(delete(roles).where(roles.c.id == role_id))
    events.tell(connection, row["hub_id"], "hub.role.state.changed", role_id, "deleted", previous="live")


REMOVE: Final = Plan(
    action="delete",
    caption="Delete role",
    reference="role_id",
    lifecycle=ROLES,
    tasks=(
        Task(
            "Remove role",
            "hubs.roles.remove",
            (Step("Remove role", "Takes the role out of the hub.", _remove, can_fail=True),),
        ),
    ),
)
