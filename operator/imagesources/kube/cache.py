"""The operator's copy of what it watches, kept small: our resources, and versions of labelled Secrets."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from imagesources.reconcile.ports import Key
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.meta import Metadata


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
        return True

    def drop(self, key: Key) -> ImageSource | None:
        """Forget a resource that is gone."""
        old = self.resources.pop(key, None)
        if old is None:
            return None
        del self.keys[old.metadata.uid]
        if old.status.id:
            claimants = self.claims[old.status.id]
            claimants.discard(key)
            if not claimants:
                del self.claims[old.status.id]
        return old

    def claimants(self, source_id: str) -> Iterable[ImageSource]:
        """Find the resources that claim a source."""
        return [self.resources[key] for key in sorted(self.claims.get(source_id, ()))]

    def naming(self, key: Key) -> Iterable[ImageSource]:
        """Find the resources whose origin names a Secret or an ImageSource."""
        namespace, name = key
        return [r for r in self.resources.values() if r.metadata.namespace == namespace and _names(r, name)]


def _names(resource: ImageSource, name: str) -> bool:
    """Tell whether an origin refers to something of this name, be it a Secret or an ImageSource."""
    return resource.spec.origin is not None and _mentions(resource.spec.origin.to_json(), name)


def _mentions(value: object, name: str) -> bool:
    match value:
        case {"name": str(found), **_rest} if found == name:
            return True
        case dict():
            return any(_mentions(part, name) for part in value.values())
        case list():
            return any(_mentions(part, name) for part in value)
    return False
