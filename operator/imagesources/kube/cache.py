"""The operator's copy of what it watches, kept small: our resources, and versions of labelled Secrets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from imagesources.reconcile.ports import Key
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.meta import Metadata

_Index = TypeVar("_Index", str, Key)


def version_of(metadata: Metadata) -> int:
    """Read a resourceVersion as the number that it is (comparable within a kind: KEP-5504)."""
    return int(metadata.resource_version)


@dataclass(slots=True)
class Cache:
    """ImageSources by name, by uid and by the source that they claim."""

    resources: dict[Key, ImageSource] = field(default_factory=dict)
    secrets: dict[Key, tuple[str, str]] = field(default_factory=dict)
    """Uid and resourceVersion of labelled Secrets."""
    keys: dict[str, Key] = field(default_factory=dict)
    """By uid."""
    claims: dict[str, set[Key]] = field(default_factory=dict)
    """By source id."""
    named: dict[Key, set[Key]] = field(default_factory=dict)
    """Whose origin names a Secret or an ImageSource, by its namespace and name."""

    def put(self, resource: ImageSource) -> bool:
        """Take in a state of a resource, unless a newer one is known; tells whether it was new."""
        old = self.resources.get(resource.key)
        if old and version_of(old.metadata) >= version_of(resource.metadata):
            return False
        self.drop(resource.key)
        self.resources[resource.key] = resource
        self.keys[resource.metadata.uid] = resource.key
        if resource.status.id:
            self.claims.setdefault(resource.status.id, set()).add(resource.key)
        for name in _names(resource):
            self.named.setdefault(name, set()).add(resource.key)
        return True

    def drop(self, key: Key) -> ImageSource | None:
        """Forget a resource that is gone."""
        old = self.resources.pop(key, None)
        if old is None:
            return None
        del self.keys[old.metadata.uid]
        if old.status.id:
            _remove(self.claims, old.status.id, key)
        for name in _names(old):
            _remove(self.named, name, key)
        return old

    def claimants(self, source_id: str) -> Iterable[ImageSource]:
        """Find the resources that claim a source."""
        return [self.resources[key] for key in sorted(self.claims.get(source_id, ()))]

    def naming(self, key: Key) -> Iterable[ImageSource]:
        """Find the resources whose origin names a Secret or an ImageSource, be it one or the other."""
        return [self.resources[found] for found in sorted(self.named.get(key, ()))]


def _remove(index: dict[_Index, set[Key]], at: _Index, key: Key) -> None:
    index[at].discard(key)
    if not index[at]:
        del index[at]


def _names(resource: ImageSource) -> set[Key]:
    """Tell what the origin of a resource refers to."""
    origin = resource.spec.origin
    return {(resource.metadata.namespace, name) for name in _mentioned(origin.to_json())} if origin else set()


def _mentioned(value: object) -> Iterator[str]:
    match value:
        case {"name": str(found), **_rest}:
            yield found
        case dict():
            for part in value.values():
                yield from _mentioned(part)
        case list():
            for part in value:
                yield from _mentioned(part)
