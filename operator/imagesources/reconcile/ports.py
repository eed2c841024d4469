"""What the engine needs of Kubernetes: the real one is in ``kube``, a simulated one can take its place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from imagesources.resources import ALLOWED_HOSTS_ANNOTATION
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import ImageSourceStatus, Pin

Key = tuple[str, str]
"""Namespace and name of an ImageSource."""


class KubernetesError(Exception):
    """The Kubernetes API did not do what was asked; whether it was applied is not known.

    Attributes:
        retry_after: seconds for which it asks to be left alone; 0: it does not.
    """

    def __init__(self, message: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(KubernetesError):
    """The resource has changed since it was read: nothing was written."""


class Vanished(KubernetesError):
    """The resource does not exist any more, or another has its name."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret's values, to be used at once and kept nowhere.

    ``allowed_hosts``: the only hosts that they may be sent to; None: its owner names none, and any will do.
    """

    uid: str
    resource_version: str
    labelled: bool
    type: str
    values: Mapping[str, str]
    allowed_hosts: frozenset[str] | None = None

    def objection(self, name: str, host: str | None) -> str:
        """Tell why the values must not be sent to a host (None: one that is not known), or ""."""
        if self.allowed_hosts is None or host in self.allowed_hosts:
            return ""
        where = f"to {host}" if host else "to a place whose host is not known"
        return f"the annotation {ALLOWED_HOSTS_ANNOTATION} of Secret {name} does not allow it to be sent {where}"

    def __repr__(self) -> str:
        return f"Secret(uid={self.uid!r}, resource_version={self.resource_version!r})"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a person wants to read later (events.k8s.io/v1).

    ``reason`` and ``action`` are CamelCase words, ``note`` a sentence.
    """

    reason: str
    action: str
    note: str
    warning: bool = False


class SecretReader(Protocol):
    """Reads Secrets; raises ``KubernetesError``."""

    async def read_secret(self, namespace: str, name: str) -> Secret | None:
        """Read a Secret from the apiserver; None: there is none."""


class Kubernetes(SecretReader, Protocol):
    """Reads are from the operator's cache, writes are compare-and-swap on the resourceVersion.

    Every write raises ``Conflict``, ``Vanished`` or ``KubernetesError``, and updates the cache.
    """

    def get(self, key: Key) -> ImageSource | None:
        """Read a resource from the cache."""

    async def confirm(self, resource: ImageSource) -> None:
        """Make sure by a live read that a resource is still the one that is known, of the same generation.

        Raises:
            Conflict: it was edited.
            KubernetesError: it is gone, or cannot be read.
        """

    def claimants(self, source_id: str) -> Iterable[ImageSource]:
        """Find the resources whose status claims a source."""

    def secret_version(self, namespace: str, name: str) -> tuple[str, str] | None:
        """Tell uid and resourceVersion of a labelled Secret, as far as known."""

    async def intend(self, resource: ImageSource, pin: Pin) -> None:
        """Write finalizer and pin in one."""

    async def save_status(self, resource: ImageSource, status: ImageSourceStatus) -> None:
        """Write the difference between the resource's status and this one."""

    async def release(self, resource: ImageSource) -> None:
        """Take the finalizer away."""

    def tell(self, resource: ImageSource, happening: Happening) -> None:
        """Record an Event, sooner or later; never fails."""
