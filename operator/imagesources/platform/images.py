"""The operations on images, and what they answer with."""

from collections.abc import AsyncIterator, Iterable
from typing import Literal, Unpack

from imagesources.platform.calls import Calls, Order, Query, fit, path_of, several, sorted_by
from imagesources.platform.models import (
    About,
    ApiModel,
    Builder,
    Creator,
    Events,
    JobDescriptor,
    Json,
    ObjectId,
    Referring,
    SourceType,
    Standing,
)

IMAGES = "/v1/images"

ImageInclude = Literal["creators", "stack_builds", "stacks", "sources", "integrations"]


class MadeFrom(ApiModel):
    """The source that an image was made from, without its origin, which may carry credentials."""

    id: ObjectId


class ImageSourceReference(ApiModel):
    """What an image was made from (``Image.source``)."""

    type: SourceType
    details: MadeFrom


class ImageState(Standing):
    """Where an image stands (schema ``ImageState``)."""

    current: Literal[
        "new", "uploading", "downloading", "building", "verifying", "saving", "live", "deleting", "deleted"
    ]


class ContainersCount(ApiModel):
    """How many containers run an image, in all, without deleted ones, and by state (``meta=containers_count``)."""

    total: int
    available: int
    state: dict[str, int]


class ImageMeta(ApiModel):
    """What is only there when it is asked for (schema ``ImageMeta``)."""

    containers_count: ContainersCount | None = None


class Image(Referring):
    """One image as the platform sees it (schema ``Image``).

    Its configuration and the arguments of its build may hold secrets and are not read.

    Attributes:
        size: bytes.
    """

    name: str
    about: About | None = None
    size: int
    source: ImageSourceReference | None = None
    builder: Builder | None = None
    creator: Creator | None = None
    state: ImageState
    events: Events
    meta: ImageMeta | None = None


class ImageCalls(Calls):
    """Images: what was made from sources."""

    async def list_images(
        self,
        *,
        identifier: str | None = None,
        search: str | None = None,
        states: Iterable[str] = (),
        source_id: str | None = None,
        source_type: SourceType | None = None,
        containers_count: bool = False,
        include: Iterable[ImageInclude] = (),
        **order: Unpack[Order],
    ) -> AsyncIterator[Image]:
        """Yields all images that match, each id once, asking for a page when it is needed.

        Args:
            identifier: only images with exactly this identifier.
            search: only images with this text in one of their fields.
            states: only images in one of these states; none given: all.
            source_id: only images of this source.
            source_type: only images of sources of this type.
            containers_count: ask for ``meta.containers_count``.
            include: ask for what the images name, too: ``Image.includes``.
            order: how to list.
        """
        query = [
            ("filter[identifier]", identifier),
            ("filter[search]", search),
            ("filter[state]", several(states)),
            ("filter[source_id]", source_id),
            ("filter[source_type]", source_type),
            sorted_by(order),
            *_beside(containers_count, include),
        ]
        async for image in self._pages("getImages", IMAGES, Image, query, order):
            yield image

    async def get_image(
        self, image_id: str, *, containers_count: bool = False, include: Iterable[ImageInclude] = ()
    ) -> Image:
        """Returns one image, with the count of its containers and what it names, if asked for."""
        operation = "getImage"
        path, query = path_of(operation, IMAGES, image_id), _beside(containers_count, include)
        return self._one(operation, Image, await self._call(operation, "GET", path, query=query), image_id)

    async def create_image(self, body: Json) -> Image:
        """Makes an image from the source that the body names; an import makes it live."""
        operation = "createImage"
        return self._one(operation, Image, await self._call(operation, "POST", IMAGES, body=body))

    async def import_image(self, image_id: str) -> JobDescriptor:
        """Asks for an image to be imported and returns the job that does it."""
        operation = "createImageJob"
        path = f"{path_of(operation, IMAGES, image_id)}/tasks"
        return fit(operation, JobDescriptor, await self._ask(operation, "POST", path, body={"action": "import"}))

    async def delete_image(self, image_id: str) -> JobDescriptor:
        """Asks for an image to be deleted and returns the job that does it."""
        operation = "deleteImage"
        path = path_of(operation, IMAGES, image_id)
        return fit(operation, JobDescriptor, await self._ask(operation, "DELETE", path))


def _beside(containers_count: bool, include: Iterable[str]) -> Query:
    return [("meta", "containers_count" if containers_count else None), ("include", several(include))]
