"""The seven variants of an image's origin (schema ``ImageOrigin``), as request bodies.

Each variant knows its own details; what it does not know is dropped, as the platform's decoder does. A field that
is a credential says so in its type (``Secret``), and masking follows that.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
    Tag,
    TypeAdapter,
)
from pydantic_core import to_json

from imagesources.embedded.clock import checked
from imagesources.platform.models import Json

MASK: Final = "********"


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL is not allowed in text")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]


def _masked(value: str, info: SerializationInfo[bool | None]) -> str:
    return MASK if value and info.context else value


Secret = Annotated[Text, PlainSerializer(_masked)]
"""Text that is secret: it is masked when a model is dumped with ``context=True``."""


class Body(BaseModel):
    """A part of a request's body; JSON types are taken strictly, and no message repeats what was sent."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)


def _variant(value: object) -> str | None:
    """Name the variant by its type. "=" keeps it apart from property names in the location of an error."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"={kind}" if isinstance(kind, str) else None


_BY_TYPE = Discriminator(_variant)


class ExistingSource(Body):
    """A source from which missing values are taken (schema ``ExistingSource``)."""

    source_id: Id = ""


class HttpCredentials(Body):
    """User name and password of a git server."""

    username: Text
    password: Secret


class HttpAuth(Body):
    """Authentication over HTTP (schema ``CredentialsHTTP``)."""

    type: Literal["http"]
    credentials: HttpCredentials


class SshCredentials(Body):
    """The key for a git server."""

    username: Text
    passphrase: Secret
    private_key: Secret


class SshAuth(Body):
    """Authentication over SSH (schema ``CredentialsSSH``)."""

    type: Literal["ssh"]
    credentials: SshCredentials


RepoAuth = Annotated[Annotated[HttpAuth, Tag("=http")] | Annotated[SshAuth, Tag("=ssh")], _BY_TYPE]


class RepoRef(Body):
    """A reference inside a repository."""

    type: Text
    value: Text


class Repo(Body):
    """A git repository (schema ``RepoType``)."""

    url: Text
    branch: Text = ""
    auth: RepoAuth | None = None
    ref: RepoRef | None = None


class ImageCredentials(Body):
    """Credentials for an image that a Dockerfile uses (schema ``DockerfileCredentials``)."""

    url: Text = ""
    username: Text = ""
    token: Secret = ""


class UserAuthDetails(Body):
    """User name and token of a registry."""

    username: Text = ""
    token: Secret = ""


class UserAuth(Body):
    """Authentication as a user (schema ``RegistryAuthUser``)."""

    type: Literal["user"]
    details: UserAuthDetails


class ProviderCredentials(Body):
    """Credentials of a cloud provider."""

    region: Text = ""
    namespace: Text = ""
    api_key: Secret = ""
    secret: Secret = ""
    subscription_id: Text = ""
    client_id: Text = ""
    config: Secret = ""


class ProviderAuthDetails(Body):
    """Which provider, and its credentials."""

    flavor: Literal["ecr"]
    credentials: ProviderCredentials


class ProviderAuth(Body):
    """Authentication with a provider (schema ``RegistryAuthProvider``)."""

    type: Literal["provider"]
    details: ProviderAuthDetails


class WebhookAuthDetails(Body):
    """Where a webhook answers with credentials."""

    url: Text


class WebhookAuth(Body):
    """Authentication by webhook (schema ``RegistryAuthWebhook``)."""

    type: Literal["webhook"]
    details: WebhookAuthDetails


RegistryAuth = Annotated[
    Annotated[UserAuth, Tag("=user")]
    | Annotated[ProviderAuth, Tag("=provider")]
    | Annotated[WebhookAuth, Tag("=webhook")],
    _BY_TYPE,
]


class DockerHubDetails(Body):
    """An image of Docker Hub."""

    existing: ExistingSource | None = None
    target: Text
    username: Text = ""
    token: Secret = ""


class DockerFileDetails(Body):
    """An image that is built from a Dockerfile."""

    existing: ExistingSource | None = None
    repo: Repo | None = None
    targz_url: Text | None = None
    context_dir: Text | None = None
    build_file: Text | None = None
    credentials: tuple[ImageCredentials, ...] | None = None


class DockerRegistryDetails(Body):
    """An image of a Docker registry."""

    existing: ExistingSource = ExistingSource()
    target: Text
    url: Text
    username: Text = ""
    token: Secret = ""
    password: Secret = ""


class OciRegistryDetails(Body):
    """An image of an OCI registry."""

    existing: ExistingSource = ExistingSource()
    target: Text
    url: Text
    auth: RegistryAuth | None = None


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(checked)]


class CycleUploadDetails(Body):
    """An image that is uploaded."""

    expires: Moment
    token: Secret


class CycleSourceDetails(Body):
    """An image of another source."""

    source_id: Id


class DockerHubOrigin(Body):
    """Schema ``DockerHubOrigin``."""

    type: Literal["docker-hub"]
    details: DockerHubDetails


class DockerFileOrigin(Body):
    """Schema ``DockerFileOrigin``."""

    type: Literal["docker-file"]
    details: DockerFileDetails


class DockerRegistryOrigin(Body):
    """Schema ``DockerRegistryOrigin``."""

    type: Literal["docker-registry"]
    details: DockerRegistryDetails


class OciRegistryOrigin(Body):
    """Schema ``OciRegistryOrigin``."""

    type: Literal["oci-registry"]
    details: OciRegistryDetails


class CycleUploadOrigin(Body):
    """Schema ``CycleUploadOrigin``."""

    type: Literal["cycle-upload"]
    details: CycleUploadDetails


class CycleSourceOrigin(Body):
    """Schema ``CycleSourceOrigin``."""

    type: Literal["cycle-source"]
    details: CycleSourceDetails


class NoneOrigin(Body):
    """Schema ``NoneOrigin``."""

    type: Literal["none"]


Origin: TypeAlias = Annotated[
    Annotated[DockerHubOrigin, Tag("=docker-hub")]
    | Annotated[DockerFileOrigin, Tag("=docker-file")]
    | Annotated[DockerRegistryOrigin, Tag("=docker-registry")]
    | Annotated[OciRegistryOrigin, Tag("=oci-registry")]
    | Annotated[CycleUploadOrigin, Tag("=cycle-upload")]
    | Annotated[CycleSourceOrigin, Tag("=cycle-source")]
    | Annotated[NoneOrigin, Tag("=none")],
    _BY_TYPE,
]

_ORIGIN: TypeAdapter[Origin] = TypeAdapter(Origin)


def masked(origin: Json) -> Json:
    """Copy an origin with each credential replaced by ``MASK``."""
    variant = _ORIGIN.validate_json(to_json(origin))
    return variant.model_dump(mode="json", exclude_unset=True, context=True)
