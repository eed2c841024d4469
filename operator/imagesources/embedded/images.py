"""The images of a hub: what was made from its sources. Nothing is pulled or built here; the states are passed through.

An image remembers what it was made from, but no credentials. Who may view a source may make images from it; an image
has no ACL, so the capability alone decides who sees it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pydantic import Field
from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update

from imagesources.embedded import clock, events, integrations, jobs
from imagesources.embedded.access import Caller
from imagesources.embedded.errors import ApiError, invalid_argument
from imagesources.embedded.ids import is_id, new_id
from imagesources.embedded.lifecycle import Lifecycle
from imagesources.embedded.listing import Columns, Listing
from imagesources.embedded.origins import Body, Text, masked
from imagesources.embedded.plans import Plan, Step, Task
from imagesources.embedded.requests import Name, identifier_of, sent
from imagesources.embedded.schema import images
from imagesources.embedded.store import SourceStore
from imagesources.platform.models import Json, SourceType

FILTERS: Final = ("identifier", "search", "state", "source_type", "source_id")
SORT_KEYS: Final[Columns] = {
    key: images.c[key] for key in ("id", "name", "identifier", "size", "source_type", "state", "created", "updated")
}
COUNTED: Final = ("new", "downloading", "building", "verifying", "saving", "live", "deleting")
"""The states that a source counts its images by (schema ``ImageSourceMeta``)."""

STATES: Final = (*COUNTED, "uploading", "deleted")
SOURCE_TYPES: Final[tuple[str, ...]] = get_args(SourceType)

IMAGES: Final = Lifecycle(images, "image")
"""The changes of images."""


class Build(Body):
    """How an image is built."""

    args: dict[Text, Text] = Field(default_factory=dict)
    use_disk: bool = False


class Override(Body):
    """What replaces a part of the origin for one image, if it has that part."""

    target: Text = ""
    targz_url: Text = ""


class CreateImage(Body):
    """The body of ``createImage``; without a name the image has its source's."""

    source_id: Text
    name: Name = ""
    build: Build = Build()
    override: Override = Override()


class ImageJob(Body):
    """The body of ``createImageJob``."""

    action: Literal["import"]


@dataclass(frozen=True, slots=True)
class ImageStore:
    """What one caller may do with the images of a hub. Every method takes the connection of its transaction."""

    caller: Caller

    def page(self, connection: Connection, listing: Listing) -> Sequence[RowMapping]:
        """List the images; deleted ones only if ``filter[state]`` asks for them."""
        query = _of_hub(self.caller).where(images.c.state.in_(listing.states(STATES) or STATES[:-1]))
        for name in ("identifier", "source_id"):
            if name in listing.filters:
                query = query.where(images.c[name] == listing.filters[name])
        if "source_type" in listing.filters:
            if listing.filters["source_type"] not in SOURCE_TYPES:
                raise invalid_argument("/filter/source_type", f"The types are: {', '.join(SOURCE_TYPES)}")
            query = query.where(images.c.source_type == listing.filters["source_type"])
        if "search" in listing.filters:
            query = query.where(images.c.search.contains(listing.filters["search"].lower(), autoescape=True))
        return connection.execute(listing.arrange(query, SORT_KEYS)).mappings().all()

    def get(self, connection: Connection, image_id: str) -> RowMapping:
        """Find an image that is not deleted.

        Raises:
            ApiError: 404.image.
        """
        return self._find(connection, image_id, lock=False)

    def create(self, connection: Connection, wanted: CreateImage) -> RowMapping:
        """Add an image in state ``new``; an import job makes it live.

        Raises:
            ApiError: 404.image.source; 403.permissions or 403.invalid-state of the source; 404.hub.integration if its
                builder is gone.
        """
        source = SourceStore(self.caller).begin_image(connection, wanted.source_id)
        parts = sent(wanted)
        builder = integrations.require_builder(connection, self.caller.hub_id, source["builder"])
        image_id, now, name = new_id(), clock.now(), wanted.name or source["name"]
        row = {
            "id": image_id,
            "hub_id": self.caller.hub_id,
            "creator_id": self.caller.key_id,
            "source_id": source["id"],
            "source_type": source["type"],
            "identifier": identifier_of(name),
            "name": name,
            "size": 0,
            "state": "new",
            "about": source["about"],
            "build": parts.get("build"),
            "builder_id": builder and builder["id"],
            "source": _made_from(source, parts.get("override", {})),
        }
        times = {"changed": now, "created": now, "updated": now}
        connection.execute(insert(images).values(**row, **times, search=_searchable(row)))
        return IMAGES.added(connection, image_id)

    def begin_import(self, connection: Connection, image_id: str) -> RowMapping:
        """Start the job that makes an image live, or find the one that does.

        Raises:
            ApiError: 404.image, or 403.invalid-state once it is live or being deleted.
        """
        row = self._find(connection, image_id)
        if row["state"] in ("live", "deleting"):
            raise ApiError("403.invalid-state", "Invalid state", detail=f"The image is {row['state']}.")
        return jobs.start(connection, self.caller, IMPORT, row)

    def delete(self, connection: Connection, image_id: str) -> RowMapping:
        """Start the job that deletes an image, or find the one that does.

        Raises:
            ApiError: 404.image.
        """
        return jobs.start(connection, self.caller, REMOVE, self._find(connection, image_id))

    def _find(self, connection: Connection, image_id: str, *, lock: bool = True) -> RowMapping:
        query = _of_hub(self.caller).where(images.c.id == image_id, images.c.state != "deleted")
        if lock:
            query = query.with_for_update()
        row = connection.execute(query).mappings().one_or_none() if is_id(image_id) else None
        if row is None:
            raise ApiError("404.image", "Image not found")
        return row


def counts(connection: Connection, source_ids: Iterable[str]) -> Mapping[str, dict[str, int]]:
    """Count the images of sources by state, deleted ones aside; a source without images counts none."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    query = (
        select(images.c.source_id, images.c.state, func.count())
        .where(images.c.source_id.in_(list(source_ids)), images.c.state != "deleted")
        .group_by(images.c.source_id, images.c.state)
    )
    for source_id, state, count in connection.execute(query):
        found[source_id][state] = count
    return found


def retire_all(connection: Connection, source_id: str) -> None:
    """Let all images of a source go to ``deleting``."""
    _move_all(connection, source_id, "deleting")


def remove_all(connection: Connection, source_id: str) -> None:
    """End the life of all images of a source."""
    _move_all(connection, source_id, "deleted", deleted=clock.now())


def _move_all(connection: Connection, source_id: str, state: str, **values: object) -> None:
    there = (images.c.source_id == source_id, images.c.state.not_in((state, "deleted")))
    rows = connection.execute(
        select(images.c.id, images.c.hub_id, images.c.state).where(*there).with_for_update()
    ).all()
    if rows:
        changes = {"state": state, "changed": clock.now(), "error": None}
        connection.execute(update(images).where(*there).values(**changes, **values))
        events.tell_all(connection, rows[0].hub_id, "image.state.changed", {row.id: row.state for row in rows}, state)


def _of_hub(caller: Caller) -> Select[Any]:
    return select(images).where(images.c.hub_id == caller.hub_id)


def _made_from(source: RowMapping, override: Json) -> Json:
    details: Json = {"id": source["id"], "origin": masked(source["origin"])}
    if source["type"] == "stack-build":
        # A source says nothing of a stack here: there are none.
        details |= {"stack_id": "", "containers": []}
    return {"type": source["type"], "details": details} | ({"override": override} if override else {})


def _searchable(row: Mapping[str, Any]) -> str:
    """Collect what a search looks through; no URL, as one may carry a secret."""
    details = row["source"]["details"]["origin"].get("details", {})
    target = row["source"].get("override", {}).get("target") or details.get("target")
    return "\n".join(part for part in (row["id"], row["name"], row["source_id"], target) if part).lower()


def _reach(state: str) -> Step:
    def effect(connection: Connection, image_id: str) -> None:
        if IMAGES.row(connection, image_id)["state"] not in ("deleting", "deleted"):
            IMAGES.enter(connection, image_id, state)

    captions = {"verifying": "Download", "saving": "Verify", "live": "Save"}
    return Step(captions[state], f"Ends in state {state}.", effect, can_fail=state == "live")


def _remove(connection: Connection, image_id: str) -> None:
    if IMAGES.row(connection, image_id)["state"] != "deleted":
        IMAGES.enter(connection, image_id, "deleted", deleted=clock.now())


IMPORT: Final = Plan(
    action="import",
    caption="Import image",
    reference="image_id",
    lifecycle=IMAGES,
    state="downloading",
    tasks=(Task("Import image", "images.import", tuple(_reach(state) for state in ("verifying", "saving", "live"))),),
)

REMOVE: Final = Plan(
    action="delete",
    caption="Delete image",
    reference="image_id",
    lifecycle=IMAGES,
    state="deleting",
    tasks=(
        Task(
            "Remove image",
            "images.remove",
            (Step("Remove image", "Takes the image out of the hub.", _remove, can_fail=True),),
        ),
    ),
)
