"""The operations on roles, and the capabilities that there are."""

from collections.abc import AsyncIterator
from typing import Annotated, Unpack

from pydantic import StringConstraints

from imagesources.platform.calls import Calls, Order, fit, path_of, sorted_by
from imagesources.platform.models import ApiModel, Creator, Events, JobDescriptor, Json, Resource

ROLES = "/v1/hubs/current/roles"

CapabilityName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,24}(-[a-z]{1,24}){1,6}$")]


class Capabilities(ApiModel):
    """Every capability that there is (``getHubCapabilities``); what people call them is not read."""

    data: tuple[CapabilityName, ...]


class Granted(ApiModel):
    """What the members of a role may do (``Role.capabilities``)."""

    all: bool
    specific: tuple[CapabilityName, ...]


class Role(Resource):
    """One role as the platform sees it (schema ``Role``).

    Attributes:
        identifier: what an ACL names it by.
        rank: from 0 to 10; a role changes only those below it.
        root: it is above every ACL.
    """

    identifier: str
    name: str | None = None
    rank: int
    root: bool
    capabilities: Granted
    creator: Creator
    events: Events


class RoleCalls(Calls):
    """Roles, and capabilities."""

    async def list_capabilities(self) -> tuple[str, ...]:
        """Returns every capability that there is; which of them a key has cannot be asked."""
        operation = "getHubCapabilities"
        return fit(operation, Capabilities, await self._call(operation, "GET", "/v1/hubs/capabilities")).data

    async def list_roles(
        self, *, identifier: str | None = None, search: str | None = None, **order: Unpack[Order]
    ) -> AsyncIterator[Role]:
        """Yields all roles that match, each id once, asking for a page when it is needed.

        Args:
            identifier: only the role with exactly this identifier.
            search: only roles with this text in their name or identifier.
            order: how to list.
        """
        query = [("filter[identifier]", identifier), ("filter[search]", search), sorted_by(order)]
        async for role in self._pages("getRoles", ROLES, Role, query, order):
            yield role

    async def get_role(self, role_id: str) -> Role:
        """Returns one role."""
        operation = "getRole"
        path = path_of(operation, ROLES, role_id)
        return self._own(operation, Role, await self._ask(operation, "GET", path), role_id)

    async def create_role(self, body: Json) -> Role:
        """Creates a role from a body of the description's shape; its identifier is unique in the hub."""
        operation = "createRole"
        return self._own(operation, Role, await self._ask(operation, "POST", ROLES, body=body))

    async def update_role(self, role_id: str, changes: Json) -> Role:
        """Changes a role; identifier and rank must be given, the rest may be."""
        operation = "updateRole"
        path = path_of(operation, ROLES, role_id)
        return self._own(operation, Role, await self._ask(operation, "PATCH", path, body=changes), role_id)

    async def delete_role(self, role_id: str) -> JobDescriptor:
        """Asks for a role to be deleted and returns the job that does it."""
        operation = "deleteRole"
        path = path_of(operation, ROLES, role_id)
        return fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))
