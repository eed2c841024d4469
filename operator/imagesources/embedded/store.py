"""The sources: every query and change of them. Each function runs within one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, delete, exists, insert, or_, select, true

from imagesources.embedded import clock, integrations
from imagesources.embedded.access import Caller, Privilege, viewers
from imagesources.embedded.errors import ApiError, source_not_found
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.lifecycle import Lifecycle
from imagesources.embedded.listing import Columns, Listing
from imagesources.embedded.origins import masked
from imagesources.embedded.requests import CreateSource, UpdateAccess, UpdateSource, identifier_of, sent
from imagesources.embedded.schema import source_access, sources
from imagesources.platform.models import Json, SourceState

FILTERS: Final = ("identifier", "search", "state")

SORT_KEYS: Final[Columns] = {
    key: sources.c[key] for key in ("id", "name", "identifier", "type", "state", "created", "updated")
}

STATES: Final = tuple(state.value for state in SourceState)

SOURCES: Final = Lifecycle(sources, "image.source")
"""The changes of sources."""


@dataclass(frozen=True, slots=True)
class SourceStore:
    """What one caller may do with the sources of a hub.

    Every method takes the connection of its transaction. A source that is being changed is locked until the end
    of it, so that no two changes mix (SQLite locks the whole file).
    """

    caller: Caller

    def page(self, connection: Connection, listing: Listing) -> Sequence[RowMapping]:
        """List the sources that the caller may view; deleted ones only if ``filter[state]`` asks for them."""
        return connection.execute(self.page_query(listing)).mappings().all()

    def page_query(self, listing: Listing) -> Select[Any]:
        """Write the query for a page."""
        states = listing.states(STATES) or (SourceState.LIVE.value, SourceState.DELETING.value)
        query = select(sources).where(
            sources.c.hub_id == self.caller.hub_id, sources.c.state.in_(states), self._viewable()
        )
        if "identifier" in listing.filters:
            query = query.where(sources.c.identifier == listing.filters["identifier"])
        if "search" in listing.filters:
            query = query.where(sources.c.search.contains(listing.filters["search"].lower(), autoescape=True))
        return listing.arrange(query, SORT_KEYS)

    def get(self, connection: Connection, source_id: str) -> RowMapping:
        """Find a source that is not deleted.

        Raises:
            ApiError: 404.image.source, or 403.permissions.
        """
        return self._find(connection, source_id, "view")

    def several(self, connection: Connection, source_ids: set[str]) -> Sequence[RowMapping]:
        """Find those of these sources that are not deleted and that the caller may view."""
        there = (sources.c.hub_id == self.caller.hub_id, sources.c.state != SourceState.DELETED.value)
        query = select(sources).where(sources.c.id.in_(source_ids), *there, self._viewable()).order_by(sources.c.id)
        return connection.execute(query).mappings().all()

    def create(self, connection: Connection, wanted: CreateSource) -> RowMapping:
        """Add a source.

        Raises:
            ApiError: 404.hub.integration or 422.invalid-argument for its builder.
        """
        source_id, now, name = new_id(), clock.now(), wanted.effective_name()
        parts = sent(wanted)
        integrations.require_builder(connection, self.caller.hub_id, parts.get("builder"))
        row = {
            "id": source_id,
            "hub_id": self.caller.hub_id,
            "identifier": wanted.identifier or identifier_of(name),
            "name": name,
            "type": wanted.type,
            "state": SourceState.LIVE.value,
            "creator_id": self.caller.key_id,
            "about": parts.get("about"),
            "builder": parts.get("builder"),
            "origin": parts["origin"],
        }
        times = {"changed": now, "created": now, "updated": now}
        access = {"acl": None, "restricted": False}
        connection.execute(insert(sources).values(**row, **times, **access, search=_searchable(row)))
        _set_acl(connection, source_id, parts.get("acl"))
        return SOURCES.added(connection, source_id)

    def update(self, connection: Connection, source_id: str, wanted: UpdateSource) -> RowMapping:
        """Replace the top-level properties that were sent; identifier null means the token of the name.

        Raises:
            ApiError: 404.image.source, 403.permissions, 403.invalid-state while it is being deleted, or
                404.hub.integration or 422.invalid-argument for its builder.
        """
        row = self._changeable(connection, source_id, "modify")
        changes = sent(wanted)
        integrations.require_builder(connection, self.caller.hub_id, changes.get("builder"))
        if "identifier" in changes and not changes["identifier"]:
            changes["identifier"] = identifier_of(changes.get("name", row["name"]))
        if not changes:
            return row
        return SOURCES.change(connection, source_id, **changes, search=_searchable({**row, **changes}))

    def set_access(self, connection: Connection, source_id: str, wanted: UpdateAccess) -> RowMapping:
        """Replace the ACL, if one was sent; null lifts it.

        Raises:
            ApiError: as ``update``.
        """
        row = self._changeable(connection, source_id, "manage")
        changes = sent(wanted)
        if not changes:
            return row
        _set_acl(connection, source_id, changes["acl"])
        return SOURCES.change(connection, source_id)

    def begin_delete(self, connection: Connection, source_id: str) -> RowMapping:
        """Lock a source that the caller may delete.

        Raises:
            ApiError: 404.image.source, or 403.permissions.
        """
        return self._find(connection, source_id, "manage", lock=True)

    def begin_image(self, connection: Connection, source_id: str) -> RowMapping:
        """Lock a source that an image is made from; who may view it may do that.

        Raises:
            ApiError: 404.image.source, 403.permissions, or 403.invalid-state while it is being deleted.
        """
        return self._changeable(connection, source_id, "view")

    def _changeable(self, connection: Connection, source_id: str, privilege: Privilege) -> RowMapping:
        row = self._find(connection, source_id, privilege, lock=True)
        if row["state"] != SourceState.LIVE:
            raise ApiError("403.invalid-state", "Invalid state", detail="The image source is being deleted.")
        return row

    def _find(self, connection: Connection, source_id: str, privilege: Privilege, *, lock: bool = False) -> RowMapping:
        if not is_id(source_id):
            raise source_not_found()
        query = select(sources).where(
            sources.c.id == source_id,
            sources.c.hub_id == self.caller.hub_id,
            sources.c.state != SourceState.DELETED.value,
        )
        row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
        if row is None:
            raise source_not_found()
        self.caller.require_privilege(row["acl"], privilege)
        return row

    def _viewable(self) -> ColumnElement[bool]:
        if self.caller.root:
            return true()
        granted = exists().where(source_access.c.source_id == sources.c.id, source_access.c.role.in_(self.caller.roles))
        return or_(sources.c.restricted.is_(False), granted)


def erase_credentials(connection: Connection, source_id: str) -> None:
    """Forget the credentials of a source that will not come back."""
    SOURCES.put(connection, source_id, origin=masked(SOURCES.row(connection, source_id)["origin"]))


def mark_deleted(connection: Connection, source_id: str) -> None:
    """End the life of a source; its row stays, for lists of deleted sources."""
    SOURCES.enter(connection, source_id, SourceState.DELETED, deleted=clock.now())


def _set_acl(connection: Connection, source_id: str, acl: Json | None) -> None:
    connection.execute(delete(source_access).where(source_access.c.source_id == source_id))
    SOURCES.put(connection, source_id, acl=acl, restricted=acl is not None)
    rows = [{"source_id": source_id, "role": role} for role in viewers(acl)]
    if rows:
        connection.execute(insert(source_access), rows)


def _searchable(row: Mapping[str, Any]) -> str:
    """Collect what a search looks through; no URL, as one may carry a secret."""
    details = row["origin"].get("details", {})
    said = (row["about"] or {}).get("description")
    parts = (row["id"], row["name"], row["identifier"], row["type"], said, row["origin"]["type"], details.get("target"))
    return "\n".join(part for part in parts if part).lower()
