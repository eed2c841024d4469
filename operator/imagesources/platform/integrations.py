"""The operations on integrations, and what they answer with."""

from collections.abc import AsyncIterator, Iterable
from typing import Literal, Unpack

from imagesources.platform.calls import Calls, Order, fit, path_of, several, sorted_by
from imagesources.platform.models import Creator, Events, JobDescriptor, Json, Resource, Standing

INTEGRATIONS = "/v1/hubs/current/integrations"


class IntegrationState(Standing):
    """Where an integration stands (schema ``IntegrationState``)."""

    current: Literal["new", "verifying", "live", "deleting", "deleted"]


class Integration(Resource):
    """Somebody else's service that a hub uses (schema ``Integration``); its credentials are never read."""

    identifier: str
    name: str
    vendor: str
    creator: Creator
    state: IntegrationState
    events: Events


class IntegrationCalls(Calls):
    """Integrations: what a source can name as its builder, among others."""

    async def list_integrations(
        self,
        *,
        search: str | None = None,
        states: Iterable[str] = (),
        category: str | None = None,
        **order: Unpack[Order],
    ) -> AsyncIterator[Integration]:
        """Yields all integrations that match, each id once, asking for a page when it is needed.

        Args:
            search: only integrations with this text in one of their fields.
            states: only integrations in one of these states; none given: all.
            category: only integrations whose vendor extends this, such as ``image-builder``.
            order: how to list.
        """
        query = [
            ("filter[search]", search),
            ("filter[state]", several(states)),
            ("filter[category]", category),
            sorted_by(order),
        ]
        async for integration in self._pages("getIntegrations", INTEGRATIONS, Integration, query, order):
            yield integration

    async def get_integration(self, integration_id: str) -> Integration:
        """Returns one integration."""
        operation = "getIntegration"
        path = path_of(operation, INTEGRATIONS, integration_id)
        return self._own(operation, Integration, await self._ask(operation, "GET", path), integration_id)

    async def create_integration(self, body: Json) -> Integration:
        """Creates an integration from a body of the description's shape; its identifier is unique in the hub."""
        operation = "createIntegration"
        return self._own(operation, Integration, await self._ask(operation, "POST", INTEGRATIONS, body=body))

    async def update_integration(self, integration_id: str, changes: Json) -> Integration:
        """Changes name, identifier, authentication or extra: those given, each as a whole."""
        operation = "updateIntegration"
        path = path_of(operation, INTEGRATIONS, integration_id)
        data = await self._ask(operation, "PATCH", path, body=changes)
        return self._own(operation, Integration, data, integration_id)

    async def delete_integration(self, integration_id: str) -> JobDescriptor:
        """Asks for an integration to be deleted and returns the job that does it."""
        operation = "deleteIntegration"
        path = path_of(operation, INTEGRATIONS, integration_id)
        return fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))
