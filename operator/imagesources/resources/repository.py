"""A git repository with a Dockerfile, and the credentials that building from it takes (schema ``RepoType``)."""

from typing import ClassVar, Literal

from pydantic import Field

from imagesources.resources.base import Model, Rule, exactly_one, not_both
from imagesources.resources.fields import LongText, Text, Url, ValueFrom, Word
from imagesources.resources.variants import Variants


class RepoCredentials(Model):
    """How to authenticate to the git server; the type of auth decides which fields there are."""

    rules: ClassVar = (not_both("credentials", "username", "usernameFrom"),)

    username: Word | None = Field(None, description="User name; with ssh the one that the key belongs to, often git.")
    username_from: ValueFrom | None = Field(None, description="Reads the user name from a Secret.")
    password_from: ValueFrom | None = Field(None, description="http: reads the password or access token.")
    passphrase_from: ValueFrom | None = Field(
        None, description="ssh: reads the passphrase of the private key. Absent: the key has none."
    )
    private_key_from: ValueFrom | None = Field(None, description="ssh: reads the PEM-encoded private key.")


class RepoAuth(Model):
    """Authentication for a git repository."""

    variants: ClassVar = Variants(
        "auth",
        "credentials",
        fields={
            "http": ("username", "usernameFrom", "passwordFrom"),
            "ssh": ("username", "usernameFrom", "passphraseFrom", "privateKeyFrom"),
        },
        needs={
            "http": (("username", "usernameFrom"), ("passwordFrom",)),
            "ssh": (("username", "usernameFrom"), ("privateKeyFrom",)),
        },
    )
    rules: ClassVar = variants.rules()

    type: Literal["http", "ssh"] = Field(description="http: user name and password or token. ssh: a private key.")
    credentials: RepoCredentials = Field(description="The user name, and the password or the key.")


class RepoRef(Model):
    """A reference inside a git repository."""

    type: Word = Field(description="Kind of reference, in the platform's words, such as branch, tag or hash.")
    value: Word = Field(description="The reference itself, such as v1.4.0.")


class Repo(Model):
    """A git repository."""

    rules: ClassVar = (
        Rule(exactly_one("url", "urlFrom"), "a repo needs its address: give either repo.url or repo.urlFrom"),
    )

    url: Url | None = Field(
        None, description="URL of the repository. Where it contains a password or token, use urlFrom instead."
    )
    url_from: ValueFrom | None = Field(None, description="Reads the URL of the repository from a Secret.")
    branch: Text | None = Field(None, description="Branch to build from. Absent: the platform's default, master.")
    auth: RepoAuth | None = Field(None, description="Authentication. Absent: the repository is public.")
    ref: RepoRef | None = Field(None, description="A reference to build instead of the head of the branch.")


class ImageCredential(Model):
    """Credentials for a private image that the Dockerfile uses, such as its parent."""

    rules: ClassVar = (not_both("credentials", "username", "usernameFrom"),)

    url: LongText | None = Field(None, description="Where that image is, such as registry.example.com/base.")
    username: Text | None = Field(None, description="User name for that registry.")
    username_from: ValueFrom | None = Field(None, description="Reads the user name from a Secret.")
    token_from: ValueFrom | None = Field(None, description="Reads the token or password from a Secret.")
