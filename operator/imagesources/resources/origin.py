"""Where an image comes from: the API's seven origin variants (schema ``ImageOrigin``) in one object.

A credential has no plain field, only a ``…From`` that names a Secret; a URL or configuration that *may* carry one
has both forms.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from imagesources.resources.base import Model, Rule, exactly_one, not_both
from imagesources.resources.fields import ObjectId, SourceRef, Text, Url, ValueFrom, Word
from imagesources.resources.registry import RegistryAuth
from imagesources.resources.repository import ImageCredential, Repo
from imagesources.resources.variants import Variants

OriginType = Literal[
    "docker-hub", "docker-file", "docker-registry", "oci-registry", "cycle-upload", "cycle-source", "none"
]


class ExistingSource(Model):
    """A source from which the platform takes what is not given here, such as its credentials."""

    atomic: ClassVar = True
    rules: ClassVar = (
        Rule(exactly_one("sourceRef", "sourceId"), "give either existing.sourceRef or existing.sourceId"),
    )

    source_ref: SourceRef | None = Field(None, description="An ImageSource of this namespace.")
    source_id: ObjectId | None = Field(
        None,
        description="Id of a source on the platform. Only where the Hub says allowSourceIds: true, "
        "as it can borrow the credentials of another tenant.",
    )


class OriginDetails(Model):
    """The details of every origin type; rules on ``origin`` say which type takes which."""

    rules: ClassVar = (
        not_both("origin.details", "username", "usernameFrom"),
        not_both("origin.details", "targzUrl", "targzUrlFrom"),
        not_both("origin.details", "sourceRef", "sourceId"),
    )

    existing: ExistingSource | None = Field(
        None, description="Another source, from which the platform takes what is not given here. Meant for stacks."
    )
    target: Word | None = Field(
        None, description="The image: on Docker Hub such as nginx:1.29; on a registry its name there, without the host."
    )
    url: Url | None = Field(None, description="docker-registry, oci-registry: URL of the registry.")
    username: Text | None = Field(None, description="docker-hub, docker-registry: user name for a private image.")
    username_from: ValueFrom | None = Field(
        None, description="docker-hub, docker-registry: reads the user name from a Secret."
    )
    token_from: ValueFrom | None = Field(
        None,
        description="docker-hub, docker-registry: reads the token for a private image from a Secret. "
        "cycle-upload: reads the token that an upload must present.",
    )
    password_from: ValueFrom | None = Field(None, description="docker-registry: reads the password from a Secret.")
    auth: RegistryAuth | None = Field(None, description="oci-registry: authentication. Absent: the registry is public.")
    repo: Repo | None = Field(None, description="docker-file: the git repository that holds the Dockerfile.")
    targz_url: Url | None = Field(
        None,
        description="docker-file: URL of a tar.gz with the build context, for a source without a repository; what the "
        "platform makes of both is not described. Where it contains a secret, use targzUrlFrom instead.",
    )
    targz_url_from: ValueFrom | None = Field(None, description="docker-file: reads that URL from a Secret.")
    context_dir: Text | None = Field(None, description="docker-file: folder that is the build context.")
    build_file: Text | None = Field(None, description="docker-file: path of the Dockerfile.")
    credentials: Annotated[tuple[ImageCredential, ...], Field(max_length=32)] | None = Field(
        None, description="docker-file: credentials for private images that the Dockerfile uses, such as its parent."
    )
    expires: datetime | None = Field(
        None, description="cycle-upload: when the upload token expires, such as 2030-01-31T08:30:00Z."
    )
    source_ref: SourceRef | None = Field(None, description="cycle-source: the ImageSource of this namespace.")
    source_id: ObjectId | None = Field(
        None,
        description="cycle-source: the id of the source on the platform. "
        "Only where the Hub says allowSourceIds: true; otherwise use sourceRef.",
    )


DETAILS_OF: dict[str, tuple[str, ...]] = {
    "docker-hub": ("existing", "target", "username", "usernameFrom", "tokenFrom"),
    "docker-file": (
        "existing", "repo", "targzUrl", "targzUrlFrom", "contextDir", "buildFile", "credentials",
    ),
    "docker-registry": ("existing", "target", "url", "username", "usernameFrom", "tokenFrom", "passwordFrom"),
    "oci-registry": ("existing", "target", "url", "auth"),
    "cycle-upload": ("expires", "tokenFrom"),
    "cycle-source": ("sourceRef", "sourceId"),
    "none": (),
}  # fmt: skip
"""Which details each origin type takes."""


class Origin(Model):
    """Where the image comes from: one of the API's seven variants."""

    variants: ClassVar = Variants(
        "origin",
        "details",
        fields=DETAILS_OF,
        needs={
            "docker-hub": (("target",),),
            "docker-file": (("repo", "targzUrl", "targzUrlFrom", "existing"),),
            "docker-registry": (("target",), ("url",)),
            "oci-registry": (("target",), ("url",)),
            "cycle-upload": (("expires",), ("tokenFrom",)),
            "cycle-source": (("sourceRef", "sourceId"),),
        },
    )
    rules: ClassVar = variants.rules()

    type: OriginType = Field(
        description="docker-hub, docker-registry, oci-registry: a ready image. docker-file: built from a Dockerfile. "
        "cycle-upload: pushed to the platform. cycle-source: another source (for stacks). none: nothing yet."
    )
    details: OriginDetails | None = Field(None, description="The details of that type; none has no details.")
