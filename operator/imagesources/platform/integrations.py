"""The operations on integrations.

Where they take ``definition``, they ask for ``meta.definition``: what the vendor's service is and needs.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Unpack

from imagesources.platform.calls import Calls, Order, fit, path_of, several, sorted_by
from imagesources.platform.models import Integration, JobDescriptor, Json

INTEGRATIONS = "/v1/hubs/current/integrations"


class IntegrationCalls(Calls):
    """Integrations: what a source can name as its builder, among others."""

    async def list_integrations(
        self,
        *,
        search: str | None = None,
        states: Iterable[str] = (),
        category: str | None = None,
        definition: bool = False,
        **order: Unpack[Order],
    ) -> AsyncIterator[Integration]:
        """Yields all integrations that match, each id once, asking for a page when it is needed.

        Args:
            search: only integrations with this text in one of their fields.
            states: only integrations in one of these states; none given: all.
            category: only integrations whose vendor extends this, such as ``image-builder``.
            definition: ask for ``meta.definition``.
            order: how to list.
        """
        query = [
            ("filter[search]", search),
            ("filter[state]", several(states)),
            ("filter[category]", category),
            sorted_by(order),
            _meta(definition),
        ]
        async for integration in self._pages("getIntegrations", INTEGRATIONS, Integration, query, order):
            yield integration

    async def get_integration(self, integration_id: str, *, definition: bool = False) -> Integration:
        """Returns one integration."""
        operation = "getIntegration"
        path = path_of(operation, INTEGRATIONS, integration_id)
        document = await self._call(operation, "GET", path, query=[_meta(definition)])
        return self._one(operation, Integration, document, integration_id)

    async def create_integration(self, body: Json, *, definition: bool = False) -> Integration:
        """Creates an integration from a body of the description's shape; its identifier is unique in the hub."""
        operation = "createIntegration"
        document = await self._call(operation, "POST", INTEGRATIONS, query=[_meta(definition)], body=body)
        return self._one(operation, Integration, document)

    async def update_integration(self, integration_id: str, changes: Json, *, definition: bool = False) -> Integration:
        """Changes name, identifier, authentication or extra: those given, each as a whole."""
        operation = "updateIntegration"
        path = path_of(operation, INTEGRATIONS, integration_id)
        document = await self._call(operation, "PATCH", path, query=[_meta(definition)], body=changes)
        return self._one(operation, Integration, document, integration_id)

    async def delete_integration(self, integration_id: str) -> JobDescriptor:
        """Asks for an integration to be deleted and returns the job that does it."""
        operation = "deleteIntegration"
        path = path_of(operation, INTEGRATIONS, integration_id)
        return fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))


def _meta(definition: bool) -> tuple[str, str | None]:
    return "meta", "definition" if definition else None
