"""The apiserver and its watch: what a write makes of a resource, and who hears of it when."""

from collections.abc import Iterator
from typing import Any

from tests.model.core import forgetting
from tests.model.passes import GONE
from tests.model.ports import Question
from tests.model.state import CURRENT, NEVER, OPERATORS, Busy, Operator, World
from tests.model.values import freeze, look, thaw
from tests.simulation.values import merged

Json = dict[str, Any]


def changed(world: World, resource: int, content: int, writer: int | None = None) -> Iterator[tuple[str, World, bool]]:
    """Change a resource: the watch tells every process at once; as a fault, it tells one of them later."""
    old = world.contents[resource]
    changed = world._replace(contents=put(world.contents, resource, content))
    if content == old:
        yield "", changed, False
        return
    processes = [OPERATORS[number] for number in world.operators]
    told = [told_of(process, resource, gone=content == GONE) for process in processes]
    yield "", placed(changed, told), False
    for place, process in enumerate(processes):
        if place != writer and process.views[resource] == CURRENT:
            lagging = _untold_of(process, resource, old)
            yield " unseen", placed(changed, [*told[:place], lagging, *told[place + 1 :]]), True


def told_of(process: Operator, resource: int, *, gone: bool) -> Operator:
    """A process hears of a change."""
    if process.views[resource] != CURRENT:
        return process._replace(busy=_outrun(process.busy, resource))
    due = put(process.due, resource, NEVER if gone else 0)
    core = process.core
    if gone and not process.busy:
        core = forgetting(core, resource)
    return process._replace(core=core, due=due, busy=_outrun(process.busy, resource))


def placed(world: World, processes: list[Operator]) -> World:
    """Put processes in, each in its place."""
    return world._replace(operators=tuple(OPERATORS.number(process) for process in processes))


def deleted(content: int) -> int:
    """What becomes of a resource that a person deletes: its finalizers keep it."""
    body = thaw(content)
    body["metadata"] |= {"deletionTimestamp": "2026-01-01T01:00:00Z", "generation": 2}
    return freeze(body) if body["metadata"]["finalizers"] else GONE


def is_deleted(content: int) -> bool:
    """Whether a resource is being deleted, or gone."""
    return content == GONE or "deletionTimestamp" in look(content)["metadata"]


def _untold_of(process: Operator, resource: int, old: int) -> Operator:
    views = put(process.views, resource, old)
    return process._replace(views=views, busy=_outrun(process.busy, resource))


def _outrun(busy: Busy | None, resource: int) -> Busy | None:
    """A pass whose resource has changed since it began: its write will meet a conflict."""
    return busy._replace(fresh=False) if busy and busy.resource == resource else busy


def patched(live: int, question: Question) -> tuple[int, int]:
    """Apply a merge patch: the content after it, and what the answer shows; without finalizers a deleted one goes."""
    body, change = thaw(live), thaw(question.body)
    part = "status" if question.verb == "patch-status" else "metadata"
    body[part] = merged(body[part], change[part])
    metadata = body["metadata"]
    shown = freeze(body)
    gone = "deletionTimestamp" in metadata and not metadata["finalizers"]
    return GONE if gone else shown, shown


def put(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    """A tuple with another value in one place."""
    return (*values[:index], value, *values[index + 1 :])
