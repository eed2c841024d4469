"""Broken operators, as they are found in the field: ours with one idea taken away. The judge has to find each.

Each puts something else in the place of a pure stage; everything else is the real engine.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from imagesources.reconcile import engine
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.model import Create, Doubt, Observed, Problem, Record, Step, Wait, Wanted
from imagesources.reconcile.plan import create_body
from imagesources.resources.conditions import Reason

Plan = Callable[[Wanted, Record, Observed, Doubt], Step]

_plan = engine.plan


def crossplane_style(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """Any error of a create means that it failed; an intent of another process means never to go on."""
    if wanted.exists and record.intent and record.id is None:
        if doubt.clear:
            return Create(create_body(wanted))
        return Wait(Problem(Reason.OUTCOME_UNKNOWN, "cannot determine the result of a create", permanent=True))
    return _plan(wanted, record, replace(observed, carriers=(), dying=()), doubt)


def intent_after_post(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """POST first, as a handler does whose patch is written when it has returned; nothing is looked up."""
    if wanted.exists and record.id is None:
        return Create(create_body(wanted))
    return _plan(wanted, record, replace(observed, carriers=(), dying=()), doubt)


def one_off_sweep(wanted: Wanted, record: Record, observed: Observed, doubt: Doubt) -> Step:
    """The marker is looked up before a create, and never again."""
    if record.id is not None:
        observed = replace(observed, carriers=(), dying=())
    return _plan(wanted, record, observed, doubt)


def _failed(memory: Memory, now: float) -> None:
    """An attempt that leaves no doubt, however it ends."""
    memory.attempted = now


@contextmanager
def broken(plan: Plan) -> Iterator[None]:
    """Let the engine plan in another way."""
    attempt: Any = Memory.attempt
    engine.plan = plan
    if plan is crossplane_style:
        Memory.attempt = _failed  # type: ignore[method-assign]  # the idea that is to be shown wrong
    try:
        yield
    finally:
        engine.plan = _plan
        Memory.attempt = attempt  # type: ignore[method-assign]  # as it was
