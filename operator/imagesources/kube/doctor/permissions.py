"""What the operator's account must be allowed to do: the one table of it in code."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imagesources.resources import GROUP


class Scope(StrEnum):
    """Where something is done: in each namespace that is served, in the whole cluster, in the operator's namespace."""

    SERVED = "served"
    CLUSTER = "cluster"
    HOME = "home"


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on one resource (``plural`` or ``plural/subresource``); ``name`` where it is about one object alone."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    scope: Scope
    name: str = ""


WATCHED: Final = ("list", "watch", "patch")

PERMISSIONS: Final = (
    Permission(GROUP, "imagesources", ("get", *WATCHED), Scope.SERVED),
    Permission(GROUP, "imagesources/status", ("patch",), Scope.SERVED),
    Permission(GROUP, "hubs", WATCHED, Scope.SERVED),
    Permission(GROUP, "hubs/status", ("patch",), Scope.SERVED),
    Permission("", "secrets", ("get", "list", "watch"), Scope.SERVED),
    Permission("events.k8s.io", "events", ("create",), Scope.SERVED),
    Permission(GROUP, "clusterhubs", WATCHED, Scope.CLUSTER),
    Permission(GROUP, "clusterhubs/status", ("patch",), Scope.CLUSTER),
    Permission("", "namespaces", ("list", "watch"), Scope.CLUSTER),
    Permission("coordination.k8s.io", "leases", ("get", "update"), Scope.HOME),
    Permission("coordination.k8s.io", "leases", ("create",), Scope.HOME),
)


def needed(namespaces: tuple[str, ...], home: str, leases: tuple[str, ...]) -> Iterator[tuple[Permission, str, str]]:
    """List what is needed: permission, namespace ("": all of them), name of the object ("": any).

    Args:
        namespaces: those that are served; none: the whole cluster.
        home: the operator's namespace.
        leases: the names of its Leases, which every verb but create is granted for; none: it works alone.
    """
    for permission in PERMISSIONS:
        match permission.scope:
            case Scope.SERVED:
                yield from ((permission, namespace, "") for namespace in namespaces or ("",))
            case Scope.CLUSTER if not namespaces:
                yield permission, "", ""
            case Scope.HOME if leases:
                yield from ((permission, home, name) for name in ([""] if "create" in permission.verbs else leases))
