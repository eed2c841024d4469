"""Tells people what a pass has done: Events, and the log."""

import logging

from imagesources.reconcile.events import happenings, is_news
from imagesources.reconcile.model import Done, Problem, Rest, Step, Wait, Wanted
from imagesources.reconcile.ports import Happening, Kubernetes
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import ImageSourceStatus
from imagesources.telemetry import log


def tell(
    kube: Kubernetes, resource: ImageSource, wanted: Wanted | None, step: Step, done: Done, status: ImageSourceStatus,
    problem: Problem | None = None,
) -> None:  # fmt: skip
    """Tell what happened; what lasts, and what the Hub tells for all its sources, is a detail for the log.

    Args:
        kube: where Events go.
        resource: the resource with its status before the pass.
        wanted: what it asks for; None: that cannot be told.
        step: what was to be done.
        done: what came of it.
        status: the status after the pass.
        problem: what is said to be wrong.
    """
    policy = {"orphan": bool(wanted and wanted.orphan), "observing": bool(wanted and wanted.observe_only)}
    step_and_source = {"step": type(step).__name__, "source": status.id}
    about = fields_of(resource, **step_and_source)
    told = happenings(step, done, problem, resource.status, status, **policy)
    for happening in told:
        announce(kube, resource, happening, **step_and_source)
    if problem and problem.message not in {happening.note for happening in told}:
        level = logging.WARNING if is_news(step, problem, resource.status) else logging.DEBUG
        log.log(level, "%s", problem.message, extra=about | {"reason": problem.reason.value})
    elif not told and not isinstance(step, Rest | Wait):
        log.debug("%s", type(step).__name__, extra=about)


def announce(kube: Kubernetes, resource: ImageSource, happening: Happening, **more: object) -> None:
    """Tell one thing: as an Event, and in the log, where ``more`` is said with it."""
    kube.tell(resource, happening)
    level = logging.WARNING if happening.warning else logging.INFO
    log.log(level, "%s", happening.note, extra=fields_of(resource, **more, reason=happening.reason))


def fields_of(resource: ImageSource, **more: object) -> dict[str, object]:
    """Name a resource in a line of the log."""
    return {"namespace": resource.metadata.namespace, "source_name": resource.metadata.name, **more}
