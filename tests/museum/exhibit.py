"""What an exhibit of the museum is: a published bug of another operator, told again for ours."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.museum.habits import Habits
from tests.museum.stage import Stage
from tests.simulation.schedule import Planned

Story = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Exhibit:
    """A published bug.

    Attributes:
        bug: where it was published: OWNER/REPOSITORY#NUMBER, or an advisory.
        wrong: what goes wrong there, in a sentence that the documentation shows.
        story: what happens.
        is_wrong: whether it has gone wrong, at the end of the story.
        habits: of the naive operator with which it does.
        faults: what fails meanwhile, in order.
        lag: seconds by which the watch is behind.
    """

    bug: str
    wrong: str
    story: Story
    is_wrong: Callable[[Stage], bool]
    habits: Habits = field(default_factory=Habits)
    faults: tuple[Planned, ...] = ()
    lag: float = 0.01


async def created(stage: Stage) -> None:
    """A person creates a resource, and half an hour goes by."""
    stage.create()
    await asyncio.sleep(1800)


async def ready(stage: Stage) -> None:
    """A person creates a resource, which is soon in order."""
    stage.create()
    await asyncio.sleep(60)
    assert stage.is_ready()


def is_duplicate(stage: Stage) -> bool:
    """Whether there is more than one source for the one resource."""
    return len(stage.sources()) != 1


def is_stuck(stage: Stage) -> bool:
    """Whether the one resource never becomes Ready."""
    return not stage.is_ready()


def is_leaked(stage: Stage) -> bool:
    """Whether the resource is gone and its source is not."""
    return stage.resource() is None and bool(stage.sources())


def never_ends(stage: Stage) -> bool:
    """Whether the resource is still there although it was deleted long ago."""
    return stage.resource() is not None
