"""The operations on images, and what they answer with."""

from collections.abc import AsyncIterator, Iterable
from typing import Literal, Unpack

from imagesources.platform.calls import Calls, Order, fit, path_of, several, sorted_by
from imagesources.platform.models import (
    ApiModel,
    Builder,
    Events,
    JobDescriptor,
    Json,
    ObjectId,
    Resource,
    SourceType,
    Standing,
)

IMAGES = "/v1/images"


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


class Image(Resource):
    """One image as the platform sees it (schema ``Image``); its configuration may hold secrets and is not read.

    Attributes:
        size: bytes.
    """

    name: str
    size: int
    source: ImageSourceReference | None = None
    builder: Builder | None = None
    state: ImageState
    events: Events


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
        **order: Unpack[Order],
    ) -> AsyncIterator[Image]:
        """Yields all images that match, each id once, asking for a page when it is needed.

        Args:
            identifier: only images with exactly this identifier.
            search: only images with this text in one of their fields.
            states: only images in one of these states; none given: all.
            source_id: only images of this source.
            source_type: only images of sources of this type.
            order: how to list.
        """
        query = [
            ("filter[identifier]", identifier),
            ("filter[search]", search),
            ("filter[state]", several(states)),
            ("filter[source_id]", source_id),
            ("filter[source_type]", source_type),
            sorted_by(order),
        ]
        async for image in self._pages("getImages", IMAGES, Image, query, order):
            yield image

    async def get_image(self, image_id: str) -> Image:
        """Returns one image."""
        operation = "getImage"
        path = path_of(operation, IMAGES, image_id)
        return self._own(operation, Image, await self._ask(operation, "GET", path), image_id)

    async def create_image(self, body: Json) -> Image:
        """Makes an image from the source that the body names; an import makes it live."""
        operation = "createImage"
        return self._own(operation, Image, await self._ask(operation, "POST", IMAGES, body=body))

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
