"""The doctor: looks at a cluster, and says what is wrong and what to do. It writes nothing."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any, TypeVar

from imagesources.hubs.hub import HubKey, hub_name
from imagesources.kube.default_hub import DefaultHub
from imagesources.kube.doctor import cluster, hubs, sources
from imagesources.kube.doctor.finding import Finding, Level, listed
from imagesources.kube.doctor.reader import Reader
from imagesources.kube.selector import Selector
from imagesources.reconcile.ports import KubernetesError, Vanished
from imagesources.resources.base import UnreadableError
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings

__all__ = ["Finding", "Level", "Reader", "examine"]

Json = dict[str, Any]
_Kind = TypeVar("_Kind", ImageSource, Hub, ClusterHub)


async def examine(
    reader: Reader, settings: Settings, account: str = "", default_hub: DefaultHub | None = None
) -> AsyncIterator[Finding]:
    """Look at everything, from the ground up; what cannot be looked at is a finding as well.

    Args:
        reader: the cluster.
        settings: how the operator runs: namespaces, its own namespace, hosts, Lease.
        account: the operator's service account, ``namespace:name``; empty: who asks.
        default_hub: the Hub that the installation brings along.
    """
    ground = await cluster.apiserver(reader)
    for finding in ground:
        yield finding
    if ground[0].level is Level.FAIL:
        return
    for check, looking in (
        ("crds", cluster.crds(reader)),
        ("rights", cluster.rights(reader, settings, account)),
        ("lease", cluster.leases(reader, settings)),
        ("others", cluster.others(reader, account)),
        ("hub", _hubs(reader, settings, default_hub)),
        ("sources", _sources(reader, settings)),
    ):
        for finding in await _seen(check, looking):
            yield finding
    if not settings.leader_elect:
        message = "not looked at without --leader-elect: whether an operator runs was not checked"
        yield Finding(Level.OK, "lease", message)


async def _seen(check: str, looking: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await looking
    except Vanished:
        return []  # its CRD is missing, which was said before
    except KubernetesError as error:
        remedy = "run the doctor as somebody who may read it"
        return [Finding(Level.FAIL, check, f"it cannot be looked at, as the Kubernetes API failed: {error}", remedy)]


async def _hubs(reader: Reader, settings: Settings, default_hub: DefaultHub | None) -> list[Finding]:
    found: dict[HubKey, Hub] = {}
    unreadable: list[Finding] = []
    for kind in (Hub,) if settings.namespaces else (Hub, ClusterHub):
        readable, others = _read(kind, await _listed(reader, settings, kind.plural))
        found |= {(kind.__name__, hub.metadata.namespace, hub.metadata.name): hub for hub in readable}
        unreadable += others
    if not found and not unreadable:
        return [Finding(Level.WARN, "hub", "there is no Hub: no source can be created", "create a Hub named default")]
    if default_hub and (there := found.get(default_hub.key)) and (fields := default_hub.differing(there)):
        message = (
            f"{default_hub.key[0]} {hub_name(default_hub.key)} differs from the installation's in {listed(fields)}"
        )
        unreadable.append(Finding(Level.WARN, "hub", message, "change it with kubectl, or the values of the chart"))
    looked = [each for key, hub in sorted(found.items()) async for each in hubs.look_at(key, hub, reader, settings)]
    return unreadable + looked


async def _sources(reader: Reader, settings: Settings) -> list[Finding]:
    found, unreadable = _read(ImageSource, await _listed(reader, settings, ImageSource.plural))
    shard = Selector.parse(settings.shard_selector)
    ours = [source for source in found if shard.fits(source.metadata.labels)]
    return [*unreadable, *sources.look_at(ours), *await sources.secrets_of(ours, reader)]


def _read(kind: type[_Kind], bodies: Iterable[Json]) -> tuple[list[_Kind], list[Finding]]:
    """Read what can be read; the operator leaves the others alone."""
    found: list[_Kind] = []
    unreadable: list[Finding] = []
    for body in bodies:
        try:
            found.append(kind.read(body))
        except UnreadableError as error:
            remedy = "it was stored under other CRDs; correct these fields, or install the CRDs of this version"
            unreadable.append(Finding(Level.FAIL, "stored", str(error), remedy))
    return found, unreadable


async def _listed(reader: Reader, settings: Settings, plural: str) -> list[Json]:
    places = (None,) if plural == ClusterHub.plural else settings.namespaces or (None,)
    return [body for namespace in places async for body in reader.list(plural, namespace)]
