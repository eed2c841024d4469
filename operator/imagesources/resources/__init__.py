"""The custom resources: their names, their shapes, and the CRDs generated from them."""

from typing import Final

GROUP: Final = "images.cycle.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/source"
"""Ours, not kopf's: kopf strips its own finalizer from objects that no handler of its own holds."""

HUB_FINALIZER: Final = f"{GROUP}/hub"
"""Keeps a Hub while sources belong to it."""

PIN_ANNOTATION: Final = f"{GROUP}/pin"
"""The place where the source is created, written with the finalizer, before the platform is asked for anything."""

RECONCILE_ANNOTATION: Final = f"{GROUP}/requestedAt"
"""A new value asks for a reconcile now; the handled value is kept in ``status.lastHandledReconcileAt``."""

CREDENTIALS_LABEL: Final = f"{GROUP}/credentials"
"""A Secret with this label, value ``"true"``, may be used here: its owner's opt-in."""

ALLOWED_HOSTS_ANNOTATION: Final = f"{GROUP}/allowed-hosts"
"""On a Secret: the only hosts that its values may be sent to, each HOST or HOST:PORT, separated by commas."""

MARKER_PREFIX: Final = "k8s-"


def marker(uid: str) -> str:
    """Name the identifier that a source carries from its POST until its first PATCH: ``k8s-<uid of the resource>``."""
    return MARKER_PREFIX + uid
