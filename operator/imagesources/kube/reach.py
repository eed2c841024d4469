"""How a hub is reached: by the address and the Secret that its resource names, or as a hub of the embedded platform."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from imagesources.hubs.hub import HubKey
from imagesources.hubs.trouble import Trouble
from imagesources.kube.api import KubernetesApi
from imagesources.platform.client import Connection, HostPolicy
from imagesources.reconcile.hosts import host_of
from imagesources.resources import CREDENTIALS_LABEL
from imagesources.resources.conditions import Reason
from imagesources.resources.hub import Hub, PlatformConnection
from imagesources.settings import Settings

Embedded = Callable[[str], Awaitable[tuple[Connection, str]]]
"""Opens a hub of the embedded platform by name: its connection, and the platform's instance id."""


class UnusableHubError(Exception):
    """A hub cannot be connected."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.trouble = Trouble(reason, message)


@dataclass(frozen=True, slots=True)
class Reach:
    """How a hub is reached.

    Attributes:
        connection: its URL and id, and the API key.
        pinned_url: the URL that sources are pinned to.
        policy: the hosts that may be called.
        made_of: equal as long as the API key is the same.
    """

    connection: Connection
    pinned_url: str
    policy: HostPolicy
    made_of: object = field(repr=False)


async def how_to_reach(
    key: HubKey, hub: Hub, api: KubernetesApi, settings: Settings, embedded: Embedded | None = None
) -> Reach:
    """Find out how to reach a hub.

    Args:
        key: the Hub or ClusterHub.
        hub: the resource.
        api: the apiserver, which has the Secret.
        settings: hosts that may be called, and where the Secrets of ClusterHubs are.
        embedded: opens hubs of the embedded platform; None: there is none.

    Raises:
        UnusableHubError: it cannot be reached as the resource is, or its Secret.
        KubernetesError: the Secret cannot be read.
    """
    platform = hub.spec.platform
    if platform is None:
        return await _open(key, embedded)
    url = platform.url.rstrip("/")
    policy = HostPolicy(allow_hosts=settings.allow_hosts, allow_http=settings.allow_http)
    if objection := policy.objection(url):
        raise UnusableHubError(Reason.HOST_NOT_ALLOWED, f"spec.platform.url: {objection}")
    value, version = await _api_key(platform, _home_of(key, settings), api)
    return Reach(Connection(url, platform.hub_id, value), url, policy, version)


def secret_of(key: HubKey, hub: Hub, settings: Settings) -> tuple[str, str] | None:
    """Tell where a hub's API key is: namespace and name of a Secret; None: it needs none."""
    platform = hub.spec.platform
    return (_home_of(key, settings), platform.api_key_from.secret_key_ref.name) if platform else None


def _home_of(key: HubKey, settings: Settings) -> str:
    return key[1] or settings.operator_namespace


async def _open(key: HubKey, embedded: Embedded | None) -> Reach:
    if embedded is None:
        message = "spec.embedded: this operator runs without an embedded platform; start it with --embedded-database"
        raise UnusableHubError(Reason.HUB_NOT_FOUND, message)
    connection, instance = await embedded("/".join(key))
    policy = HostPolicy(allow_hosts=(connection.url.split("//")[1],), allow_http=True)
    return Reach(connection, f"embedded:{instance}", policy, connection.api_key)


async def _api_key(platform: PlatformConnection, namespace: str, api: KubernetesApi) -> tuple[str, object]:
    """Read the API key, and what tells one version of it from another."""
    path = "spec.platform.apiKeyFrom.secretKeyRef"
    ref = platform.api_key_from.secret_key_ref
    secret = await api.read_secret(namespace, ref.name)
    if secret is None:
        message = (
            f"{path}: Secret {ref.name} does not exist in namespace {namespace}; "
            f'create it, labelled {CREDENTIALS_LABEL}: "true"'
        )
        raise UnusableHubError(Reason.CREDENTIALS_MISSING, message)
    if not secret.labelled:
        message = f'{path}: Secret {ref.name} is not labelled {CREDENTIALS_LABEL}: "true"; label it'
        raise UnusableHubError(Reason.CREDENTIALS_MISSING, message)
    if objection := secret.objection(ref.name, host_of(platform.url)):
        message = f"{path}: {objection}; correct spec.platform.url, or have the Secret's owner add the host"
        raise UnusableHubError(Reason.SECRET_NOT_FOR_HOST, message)
    value = secret.values.get(ref.key, "").strip()
    if not value:
        message = f"{path}: Secret {ref.name} has no key {ref.key}, or it is empty; add it"
        raise UnusableHubError(Reason.CREDENTIALS_MISSING, message)
    return value, (secret.uid, secret.resource_version)
