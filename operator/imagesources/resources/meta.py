"""The part of an object's metadata that the operator reads."""

from datetime import datetime

from pydantic import Field

from imagesources.resources.base import Model


class Metadata(Model):
    """``ObjectMeta`` of the Kubernetes API, as far as it matters here."""

    name: str
    namespace: str = ""
    uid: str
    generation: int = 1
    resource_version: str = "0"
    creation_timestamp: datetime
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
