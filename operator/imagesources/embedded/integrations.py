"""The integrations of a hub; one whose vendor builds images can be the builder of a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import StringConstraints
from sqlalchemy import Connection, RowMapping, Select, insert, select

from imagesources.embedded import clock, jobs
from imagesources.embedded.access import Caller
from imagesources.embedded.errors import ApiError, invalid_argument
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.lifecycle import Lifecycle
from imagesources.embedded.listing import Columns, Listing
from imagesources.embedded.origins import Body, Secret, Text
from imagesources.embedded.plans import Plan, Step, Task
from imagesources.embedded.requests import Name, sent
from imagesources.embedded.schema import integrations
from imagesources.embedded.vendors import BUILDS, VENDORS, extending
from imagesources.platform.models import Json

FILTERS: Final = ("state", "search", "category")
SORT_KEYS: Final[Columns] = {
    key: integrations.c[key] for key in ("id", "name", "identifier", "vendor", "state", "created", "updated")
}
STATES: Final = ("new", "verifying", "live", "deleting", "deleted")

INTEGRATIONS: Final = Lifecycle(integrations, "hub.integration")
"""The changes of integrations."""

Identifier = Annotated[Name, StringConstraints(min_length=3)]
LONG: Final = 5
"""Characters that an integration's name has at least."""

LongName = Annotated[Name, StringConstraints(min_length=LONG)]


class Auth(Body):
    """How the platform signs in at the vendor (schema ``IntegrationAuth``)."""

    region: Text | None = None
    namespace: Text | None = None
    api_key: Secret | None = None
    key_id: Text | None = None
    secret: Secret | None = None
    subscription_id: Text | None = None
    client_id: Text | None = None
    base64_config: Secret | None = None


class CreateIntegration(Body):
    """The body of ``createIntegration``."""

    name: LongName
    identifier: Identifier
    vendor: Text
    auth: Auth | None = None
    extra: dict[Text, Text] | None = None


class UpdateIntegration(Body):
    """The body of ``updateIntegration``; a null name is none."""

    name: LongName | None = None
    identifier: Identifier = ""
    auth: Auth | None = None
    extra: dict[Text, Text] | None = None


@dataclass(frozen=True, slots=True)
class IntegrationStore:
    """What one caller may do with the integrations of a hub. Every method takes the connection of its transaction."""

    caller: Caller

    def page(self, connection: Connection, listing: Listing) -> Sequence[RowMapping]:
        """List the integrations; deleted ones only if ``filter[state]`` asks for them."""
        states = listing.states(STATES) or STATES[:-1]
        query = _of_hub(self.caller.hub_id).where(integrations.c.state.in_(states))
        if "search" in listing.filters:
            query = query.where(integrations.c.search.contains(listing.filters["search"].lower(), autoescape=True))
        if "category" in listing.filters:
            query = query.where(integrations.c.vendor.in_(extending(listing.filters["category"])))
        return connection.execute(listing.arrange(query, SORT_KEYS)).mappings().all()

    def get(self, connection: Connection, integration_id: str) -> RowMapping:
        """Find an integration that is not deleted.

        Raises:
            ApiError: 404.hub.integration.
        """
        return self._find(connection, integration_id, lock=False)

    def create(self, connection: Connection, wanted: CreateIntegration) -> RowMapping:
        """Add an integration; it is live at once, as no vendor here asks for a verification.

        Raises:
            ApiError: 422.invalid-argument for an unknown vendor.
            sqlalchemy.exc.IntegrityError: the hub has an integration with this identifier.
        """
        if wanted.vendor not in VENDORS:
            raise invalid_argument("/vendor", f"The vendors are: {', '.join(VENDORS)}")
        return add(connection, self.caller.hub_id, sent(wanted), self.caller.key_id)

    def update(self, connection: Connection, integration_id: str, wanted: UpdateIntegration) -> RowMapping:
        """Replace the properties that were sent.

        Raises:
            ApiError: 404.hub.integration, or 403.invalid-state while it is being deleted.
            sqlalchemy.exc.IntegrityError: the hub has another integration with this identifier.
        """
        row = self._find(connection, integration_id)
        if row["state"] == "deleting":
            raise ApiError("403.invalid-state", "Invalid state", detail="The integration is being deleted.")
        changes = sent(wanted)
        if changes.get("name", "") is None:
            del changes["name"]
        if not changes:
            return row
        return INTEGRATIONS.change(connection, integration_id, **changes, search=_searchable({**row, **changes}))

    def delete(self, connection: Connection, integration_id: str) -> RowMapping:
        """Start the job that deletes an integration; sources that name it as their builder keep that name.

        Raises:
            ApiError: 404.hub.integration.
        """
        return jobs.start(connection, self.caller, REMOVE, self._find(connection, integration_id))

    def _find(self, connection: Connection, integration_id: str, *, lock: bool = True) -> RowMapping:
        query = _of_hub(self.caller.hub_id).where(
            integrations.c.id == integration_id, integrations.c.state != "deleted"
        )
        if lock:
            query = query.with_for_update()
        row = connection.execute(query).mappings().one_or_none() if is_id(integration_id) else None
        if row is None:
            raise ApiError("404.hub.integration", "Integration not found")
        return row


def add(connection: Connection, hub_id: str, values: Json, creator_id: str | None = None) -> RowMapping:
    """Add an integration to a hub.

    Args:
        connection: within a transaction.
        hub_id: the hub.
        values: ``name``, ``identifier`` and ``vendor``; ``auth`` and ``extra`` may be absent or null.
        creator_id: the API key, or None for the platform.

    Raises:
        sqlalchemy.exc.IntegrityError: the hub has an integration with this identifier, or there is no such hub.
    """
    integration_id, now = new_id(), clock.now()
    row = {"id": integration_id, "hub_id": hub_id, "creator_id": creator_id, "state": "live", **values}
    times = {"changed": now, "created": now, "updated": now}
    connection.execute(insert(integrations).values(**row, **times, search=_searchable(row)))
    return INTEGRATIONS.added(connection, integration_id)


def masked_auth(auth: Json) -> Json:
    """Replace the secrets in stored authentication by a mask."""
    return Auth.model_validate(auth).model_dump(context=True, exclude_unset=True)


def named(connection: Connection, hub_id: str, names: set[str]) -> Sequence[RowMapping]:
    """Find the integrations that have one of these ids or identifiers and are not deleted."""
    query = _of_hub(hub_id).where(integrations.c.state != "deleted")
    matching = integrations.c.id.in_(names) | integrations.c.identifier.in_(names)
    return connection.execute(query.where(matching).order_by(integrations.c.id)).mappings().all()


def all_of(connection: Connection, hub_id: str) -> Sequence[RowMapping]:
    """List the integrations of a hub that are not deleted."""
    query = _of_hub(hub_id).where(integrations.c.state != "deleted")
    return connection.execute(query.order_by(integrations.c.id)).mappings().all()


def require_builder(connection: Connection, hub_id: str, builder: Json | None) -> RowMapping | None:
    """Find the integration that a builder names, an id before an identifier; None if it names none.

    Raises:
        ApiError: 404.hub.integration if there is none, 422.invalid-argument if it does not build, 403.invalid-state if
            it is being deleted.
    """
    name = (builder or {}).get("integration_id")
    if name is None:
        return None
    source = "/builder/integration_id"
    found = sorted(named(connection, hub_id, {name}), key=lambda row: row["id"] != name)
    if not found:
        raise ApiError("404.hub.integration", "Integration not found", source=source)
    if BUILDS not in VENDORS[found[0]["vendor"]]["extends"]:
        raise invalid_argument(source, "The integration builds no images.")
    if found[0]["state"] != "live":
        raise ApiError("403.invalid-state", "Invalid state", detail="The integration is not live.", source=source)
    return found[0]


def _of_hub(hub_id: str) -> Select[Any]:
    return select(integrations).where(integrations.c.hub_id == hub_id)


def _searchable(row: Mapping[str, Any]) -> str:
    return "\n".join(row[key] for key in ("id", "name", "identifier", "vendor")).lower()


def _erase_auth(connection: Connection, integration_id: str) -> None:
    INTEGRATIONS.put(connection, integration_id, auth=None)


def _remove(connection: Connection, integration_id: str) -> None:
    INTEGRATIONS.enter(connection, integration_id, "deleted", deleted=clock.now())


REMOVE: Final = Plan(
    action="delete",
    caption="Delete integration",
    reference="integration_id",
    lifecycle=INTEGRATIONS,
    state="deleting",
    tasks=(
        Task(
            "Remove integration",
            "hubs.integrations.remove",
            (
                Step("Erase credentials", "Forgets how to sign in at the vendor.", _erase_auth, can_fail=True),
                Step("Remove integration", "Takes the integration out of the hub.", _remove),
            ),
        ),
    ),
)
