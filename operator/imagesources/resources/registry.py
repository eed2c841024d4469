"""Authentication for an OCI registry: by user, by cloud provider or by webhook (schema ``RegistryAuth``)."""

from typing import ClassVar, Literal

from pydantic import Field

from imagesources.resources.base import Model, not_both
from imagesources.resources.fields import LongText, Text, Url, ValueFrom
from imagesources.resources.variants import Variants


class ProviderCredentials(Model):
    """Credentials of a cloud provider's own registry."""

    rules: ClassVar = (not_both("credentials", "config", "configFrom"),)

    region: Text | None = Field(None, description="Region of the registry, such as eu-central-1.")
    namespace: Text | None = Field(None, description="Namespace of the registry, where the provider has them.")
    api_key_from: ValueFrom | None = Field(None, description="Reads the access key; for AWS the access key id.")
    secret_from: ValueFrom | None = Field(None, description="Reads the secret that belongs to the access key.")
    subscription_id: Text | None = Field(None, description="Subscription id, where the provider has them.")
    client_id: Text | None = Field(None, description="Client id, where the provider has them.")
    config: LongText | None = Field(
        None, description="More configuration, encoded in base64. Where it contains a secret, use configFrom instead."
    )
    config_from: ValueFrom | None = Field(None, description="Reads that configuration from a Secret.")


class RegistryAuthDetails(Model):
    """The details of every type of registry authentication; rules on ``auth`` say which type takes which."""

    rules: ClassVar = (
        not_both("auth.details", "username", "usernameFrom"),
        not_both("auth.details", "url", "urlFrom"),
    )

    username: Text | None = Field(None, description="user: the user name.")
    username_from: ValueFrom | None = Field(None, description="user: reads the user name from a Secret.")
    token_from: ValueFrom | None = Field(None, description="user: reads the token or password from a Secret.")
    flavor: Literal["ecr"] | None = Field(None, description="provider: which one; ecr is the registry of AWS.")
    credentials: ProviderCredentials | None = Field(None, description="provider: the credentials for it.")
    url: Url | None = Field(
        None,
        description="webhook: an address that answers with username:password in base64. "
        "Where it contains a secret, use urlFrom instead.",
    )
    url_from: ValueFrom | None = Field(None, description="webhook: reads that address from a Secret.")


class RegistryAuth(Model):
    """Authentication for an OCI registry."""

    variants: ClassVar = Variants(
        "auth",
        "details",
        fields={
            "user": ("username", "usernameFrom", "tokenFrom"),
            "provider": ("flavor", "credentials"),
            "webhook": ("url", "urlFrom"),
        },
        needs={"provider": (("flavor",), ("credentials",)), "webhook": (("url", "urlFrom"),)},
    )
    rules: ClassVar = variants.rules()

    type: Literal["user", "provider", "webhook"] = Field(
        description="user: name and token. provider: keys of a cloud provider. webhook: an address hands them out."
    )
    details: RegistryAuthDetails = Field(description="The details of that type.")
