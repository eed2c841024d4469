"""The operations on roles, and the capabilities that there are."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Unpack

from pydantic import Field, StringConstraints

from imagesources.platform.calls import Calls, Order, fit, path_of, sorted_by
from imagesources.platform.models import ApiModel, Creator, Events, JobDescriptor, Json, Resource, Standing

ROLES = "/v1/hubs/current/roles"

CapabilityName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,24}(-[a-z]{1,24}){1,6}$")]


class Capabilities(ApiModel):
    """Every capability that there is (``getHubCapabilities``); what people call them is not read."""

    data: tuple[CapabilityName, ...]


class Granted(ApiModel):
    """What the members of a role may do (``Role.capabilities``)."""

    all: bool
    specific: tuple[CapabilityName, ...]


class RoleCounts(ApiModel):
    """How many members of the hub, and how many API keys, have a role."""

    members: int
    api_keys: int


class RoleMeta(ApiModel):
    """What is only there when it is asked for (schema ``RoleMeta``)."""

    counts: RoleCounts | None = None


class RoleState(Standing):
    """Where a role stands: it is there (``Role.state``)."""

    current: Literal["live"]


class Role(Resource):
    """One role as the platform sees it (schema ``Role``).

    Attributes:
        default: the identifier of the platform's own role that it was made from; None: of none.
        extra: whatever people keep there.
        identifier: what an ACL names it by.
        rank: from 0 to 10; a role changes only those below it.
        root: it is above every ACL.
    """

    identifier: str
    name: str | None = None
    default: str | None = None
    rank: int
    root: bool
    capabilities: Granted
    extra: dict[str, str] = Field(default_factory=dict)
    creator: Creator
    state: RoleState
    events: Events
    meta: RoleMeta | None = None


class RoleCalls(Calls):
    """Roles, and capabilities."""

    async def list_capabilities(self) -> tuple[str, ...]:
        """Returns every capability that there is; which of them a key has cannot be asked."""
        operation = "getHubCapabilities"
        return fit(operation, Capabilities, await self._call(operation, "GET", "/v1/hubs/capabilities")).data

    async def list_roles(
        self,
        *,
        identifier: str | None = None,
        search: str | None = None,
        counts: bool = False,
        **order: Unpack[Order],
    ) -> AsyncIterator[Role]:
        """Yields all roles that match, each id once, asking for a page when it is needed.

        Args:
            identifier: only the role with exactly this identifier.
            search: only roles with this text in their name or identifier.
            counts: ask for ``meta.counts``.
            order: how to list.
        """
        query = [
            ("filter[identifier]", identifier),
            ("filter[search]", search),
            sorted_by(order),
            ("meta", "counts" if counts else None),
        ]
        async for role in self._pages("getRoles", ROLES, Role, query, order):
            yield role

    async def get_role(self, role_id: str, *, counts: bool = False) -> Role:
        """Returns one role, with ``meta.counts`` if asked for."""
        operation = "getRole"
        path = path_of(operation, ROLES, role_id)
        query = [("meta", "counts" if counts else None)]
        return self._one(operation, Role, await self._call(operation, "GET", path, query=query), role_id)

    async def create_role(self, body: Json) -> Role:
        """Creates a role from a body of the description's shape; its identifier is unique in the hub."""
        operation = "createRole"
        return self._one(operation, Role, await self._call(operation, "POST", ROLES, body=body))

    async def update_role(self, role_id: str, changes: Json) -> Role:
        """Changes a role; identifier and rank must be given, the rest may be."""
        operation = "updateRole"
        path = path_of(operation, ROLES, role_id)
        return self._one(operation, Role, await self._call(operation, "PATCH", path, body=changes), role_id)

    async def delete_role(self, role_id: str) -> JobDescriptor:
        """Asks for a role to be deleted and returns the job that does it."""
        operation = "deleteRole"
        path = path_of(operation, ROLES, role_id)
        return fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))
