"""Kinds of fields that several resources have: texts, ids, durations, references."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, StringConstraints

from imagesources.resources.base import Model, matching

Text = Annotated[str, StringConstraints(max_length=1024)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
LongText = Annotated[str, StringConstraints(max_length=8192)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]

_ID = "^[0-9a-f]{24}$"
ObjectId = Annotated[
    str,
    StringConstraints(pattern=_ID, max_length=24),
    matching(_ID, "an id is 24 lowercase hexadecimal digits, such as 651586fca6078e98982dbd90"),
]

_DURATION = "^[0-9]{1,6}(ms|s|m|h)$"
Duration = Annotated[
    str,
    StringConstraints(pattern=_DURATION, max_length=16),
    matching(
        _DURATION,
        "a duration is a whole number with its unit (ms, s, m, h), at least 100ms, such as 60s or 10m",
        also="duration(self) >= duration('100ms')",
    ),
]


def at_most(size: int) -> BeforeValidator:
    """Cut a text or list that comes from outside, so that no status is ever refused for its length."""

    def cut(value: object) -> object:
        if isinstance(value, str) and len(value) > size:
            return value[: size - 1] + "…"
        return value[:size] if isinstance(value, tuple | list) else value

    return BeforeValidator(cut)


Shown = Annotated[str, at_most(1024), StringConstraints(max_length=1024)]
"""A text that others wrote, for status: cut where it is too long."""


class SecretKeyRef(Model):
    """A key of a Secret."""

    atomic: ClassVar = True

    name: Name = Field(description='Name of the Secret. It must carry the label images.cycle.io/credentials: "true".')
    key: Name = Field(
        description="Key in the Secret's data, such as token. The common types work as they are: username and password "
        "of kubernetes.io/basic-auth, ssh-privatekey of kubernetes.io/ssh-auth, .dockerconfigjson of "
        "kubernetes.io/dockerconfigjson (user name or password of its one registry, as the field needs)."
    )


class ValueFrom(Model):
    """Where a credential is read from; its value never appears in this resource."""

    secret_key_ref: SecretKeyRef = Field(description="The Secret of this namespace, and the key, that hold the value.")


class SourceRef(Model):
    """Another ImageSource of the same namespace."""

    atomic: ClassVar = True

    name: Name = Field(description="Name of an ImageSource of this namespace.")
