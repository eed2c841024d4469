"""How a source is deleted: its images first, then its credentials, then itself."""

from typing import Final

from sqlalchemy import Connection, RowMapping

from imagesources.embedded import images, jobs, store
from imagesources.embedded.access import Caller
from imagesources.embedded.plans import Plan, Step, Task

REMOVE_SOURCE: Final = Plan(
    action="delete",
    caption="Delete image source",
    reference="source_id",
    lifecycle=store.SOURCES,
    state="deleting",
    tasks=(
        Task(
            "Remove images",
            "images.sources.remove-images",
            (
                Step("Find images", "Looks up the images that were made from this source.", images.retire_all),
                Step("Remove images", "Removes them from the hub.", images.remove_all),
            ),
        ),
        Task(
            "Remove source",
            "images.sources.remove",
            (
                Step("Erase credentials", "Forgets those of its origin.", store.erase_credentials, can_fail=True),
                Step("Remove source", "Takes the image source out of the hub.", store.mark_deleted),
            ),
        ),
    ),
)


def delete_source(connection: Connection, caller: Caller, source_id: str) -> RowMapping:
    """Start to delete a source, or find the job that does; a job that failed is followed by a new one.

    Raises:
        ApiError: 404.image.source, or 403.permissions.
    """
    source = store.SourceStore(caller).begin_delete(connection, source_id)
    return jobs.start(connection, caller, REMOVE_SOURCE, source)
