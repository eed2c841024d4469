"""Hubs: the key that they name, the platform that they lead to, and what the operator says of them."""

from collections.abc import AsyncIterator, Iterator

from imagesources.hubs.hub import HubKey, hub_name
from imagesources.hubs.trouble import trouble_listing
from imagesources.kube.doctor.finding import Finding, Level, listed
from imagesources.kube.doctor.reader import Reader
from imagesources.kube.reach import UnusableHubError, how_to_reach
from imagesources.platform.client import Limits, PlatformClient
from imagesources.platform.errors import PlatformError
from imagesources.resources.conditions import ConditionType, Reason, counted
from imagesources.resources.hub import Hub
from imagesources.settings import Settings

_LIMITS = Limits(connect=5.0, total=15.0)


async def look_at(key: HubKey, hub: Hub, reader: Reader, settings: Settings) -> AsyncIterator[Finding]:
    """Tell how a Hub is, as the operator says and as it is seen from here; its trouble is not the installation's."""
    title = f"{key[0]} {hub_name(key)}"
    said = _said(title, hub)
    yield said
    for finding in _noted(title, hub):
        yield finding
    if hub.spec.platform:
        yield await _asked(title, key, hub, reader, settings, operator_is_content=said.level is Level.OK)


def _said(title: str, hub: Hub) -> Finding:
    ready = hub.status.condition(ConditionType.READY)
    if ready is None or hub.status.observed_generation < hub.metadata.generation:
        message = f"{title}: the operator has not looked at its newest generation"
        return Finding(Level.WARN, "hub", message, "wait a moment; else see whether the operator runs and serves it")
    if ready.status == "True":
        sources = hub.status.sources
        numbers = f"; sources managed: {sources.managed}, unmanaged: {sources.unmanaged}" if sources else ""
        return Finding(Level.OK, "hub", f"{title}: the operator last said that the platform answers{numbers}")
    return Finding(Level.WARN, "hub", f"{title}: {ready.reason}: {ready.message}", remedy_of(ready.reason))


def _noted(title: str, hub: Hub) -> Iterator[Finding]:
    for capability in hub.status.capabilities or ():
        if capability.state == "refused":
            message = f"{title}: the API key was refused {capability.operation}; it lacks {capability.name}"
            yield Finding(Level.WARN, "hub", message, capability.remedy or "")
    sources = hub.status.sources
    if sources and sources.strays:
        message = f"{title}: left behind by ImageSources that are gone: {listed(sources.strays)}"
        yield Finding(Level.WARN, "leak", message, "look at these sources on the platform, and delete or adopt them")
    if hub.metadata.deletion_timestamp:
        users = counted(sources.pinned, "ImageSource") if sources else "ImageSources"
        message = f"{title}: its deletion waits for {users}"
        yield Finding(Level.WARN, "hub", message, "delete or move the ImageSources that use it")


async def _asked(
    title: str, key: HubKey, hub: Hub, reader: Reader, settings: Settings, *, operator_is_content: bool
) -> Finding:
    """Ask the platform for one source, with the key that the Hub names, if the host may be called from here."""
    try:
        reach = await how_to_reach(key, hub, reader, settings)
    except UnusableHubError as error:
        trouble = error.trouble
        if trouble.reason is Reason.HOST_NOT_ALLOWED and operator_is_content:
            message = f"{title}: not asked from here: {trouble.message}"
            return Finding(Level.WARN, "platform", message, "give the doctor --allow-host as the operator has it")
        return Finding(Level.WARN, "platform", f"{title}: {trouble.reason}: {trouble.message}", trouble.reason.remedy)
    async with PlatformClient(reach.connection, reach.policy, limits=_LIMITS) as client:
        try:
            await client.list_page(page_size=1)
        except PlatformError as error:
            trouble = trouble_listing(error, reach.pinned_url)
            message = f"{title}: asked from here: {trouble.reason}: {trouble.message}"
            return Finding(Level.WARN, "platform", message, trouble.reason.remedy)
    return Finding(Level.OK, "platform", f"{title}: {reach.pinned_url} answers from here and takes the API key")


def remedy_of(reason: str) -> str:
    """Tell what to do about a reason; one that is not of this version says it in its message."""
    return next((known.remedy for known in Reason if known == reason), "")
