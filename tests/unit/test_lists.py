"""What lists tell, and what must not outlive them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.builders import hub_resource, image_source
from tests.support.clock import in_virtual_time
from tests.support.scripted import handlers

from imagesources.kube.lists import Lists
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import KubernetesError, Vanished
from imagesources.settings import Settings

Json = dict[str, Any]
SETTINGS = Settings(namespaces=("shop",))
HUB, SOURCE = hub_resource(), image_source()
KEY = ("Hub", "shop", "default")


@dataclass
class Listing:
    """The methods of ``KubernetesApi`` that are used, where nothing is there but in lists.

    Attributes:
        answers: what each list says, one time after the other; an exception is raised.
        live: what a get finds, by name.
    """

    answers: dict[str, list[Any]]
    live: dict[str, Json] = field(default_factory=dict)

    async def list(self, plural: str, _namespace: str | None = None) -> AsyncIterator[Json]:
        """See ``KubernetesApi``."""
        answer = self.answers[plural].pop(0)
        if isinstance(answer, Exception):
            raise answer
        for body in answer:
            yield body

    async def get(self, _plural: str, _namespace: str, name: str) -> Json:
        """See ``KubernetesApi``."""
        if name not in self.live:
            raise Vanished("404")
        return self.live[name]

    async def patch(self, *_about: Any, **_more: Any) -> Json:
        """See ``KubernetesApi``."""
        raise Vanished("404")


def lists(**answers: list[list[Json] | Exception]) -> Lists:
    """Returns lists with these answers."""
    api: Any = Listing(answers)
    told = handlers(api, SETTINGS)
    return Lists(api, SETTINGS, told.hubs.directory, told)


def test_lists_count_as_a_whole() -> None:
    """A Hub that goes while the first lists fail is not known once they succeed."""
    there = lists(hubs=[[HUB.to_json()], []], imagesources=[KubernetesError("503"), [SOURCE.to_json()]])
    in_virtual_time(there.read())
    assert list(there.handlers.cache.resources) == [SOURCE.key]
    assert there.handlers.hubs.hubs == {}


def test_lists_are_waited_for_without_end() -> None:
    """An apiserver that is away for days is waited for."""
    away = [KubernetesError("503")] * 2000
    there = lists(hubs=[*away, []], imagesources=[[SOURCE.to_json()]])
    in_virtual_time(there.read())
    assert list(there.handlers.cache.resources) == [SOURCE.key]


def test_what_vanished_is_dropped() -> None:
    """Of what went while no watch was connected, nothing is left."""
    there = lists(hubs=[[HUB.to_json()], [], []], imagesources=[[SOURCE.to_json()], []])

    async def twice() -> None:
        await there.read()
        assert (list(there.handlers.cache.resources), list(there.handlers.hubs.hubs)) == ([SOURCE.key], [KEY])
        await there._compare()

    in_virtual_time(twice())
    assert (there.handlers.cache.resources, there.handlers.hubs.hubs) == ({}, {})


@pytest.mark.parametrize("there_still", [True, False])
def test_what_is_missing_is_found(there_still: bool) -> None:
    """A resource that is listed and not known is read, as it may have gone since."""
    body = SOURCE.to_json()
    there = lists(hubs=[[], [], []], imagesources=[[], [body]])
    there.api.live |= {SOURCE.metadata.name: body} if there_still else {}

    async def twice() -> None:
        await there.read()
        await there._compare()

    in_virtual_time(twice())
    assert list(there.handlers.cache.resources) == ([SOURCE.key] if there_still else [])


def test_a_hub_that_cannot_be_written_is_gone() -> None:
    """Where the apiserver knows no such Hub, nothing goes through it any more, whether a watch has told or not."""
    there = lists(hubs=[[HUB.to_json()]], imagesources=[[]])

    async def look_after() -> Next:
        await there.read()
        return await there.handlers.hubs.reconcile(KEY)

    assert in_virtual_time(look_after()) == Next()
    assert (there.handlers.hubs.hubs, there.directory.entries) == ({}, {})
