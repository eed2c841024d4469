"""Exhibits of keeping things as they are wanted, of status, and of Secrets."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.museum.deleting import WITH_SECRET
from tests.museum.exhibit import Exhibit, created, is_duplicate, ready
from tests.museum.habits import Habits
from tests.museum.stage import Stage
from tests.simulation.faults import Fault, Site
from tests.simulation.values import Json, merged

CANARY = "canary-of-the-museum"


async def a_minute(stage: Stage) -> None:
    """A person creates a resource, and a minute goes by."""
    stage.create()
    await asyncio.sleep(60)


async def list_fails(stage: Stage) -> None:
    """Twice the platform lists nothing, without an error."""
    await ready(stage)
    stage.script.planned = [(Site.INVENTORY, Fault.EMPTY)] * 2
    await asyncio.sleep(1800)


async def normalised(stage: Stage) -> None:
    """The platform keeps another form of what it is sent."""
    platform = stage.platform

    def normalising(write: Callable[..., Json]) -> Callable[..., Json]:
        def wrapped(*args: Any, **more: Any) -> Json:
            kept = merged(write(*args, **more), {"origin": {"details": {"target": "docker.io/library/nginx:1"}}})
            platform.sources[kept["id"]] = kept
            return kept

        return wrapped

    platform.create = normalising(platform.create)
    platform.update = normalising(platform.update)
    await a_minute(stage)


async def vanished(stage: Stage) -> None:
    """Others delete the source."""
    await ready(stage)
    stage.vanish()
    await asyncio.sleep(1800)


async def just_edited(stage: Stage) -> None:
    """A person edits a resource that is in order, and asks at once whether it is."""
    await ready(stage)
    stage.edit(name="Edited")


async def just_created(stage: Stage) -> None:
    """A person creates a resource, and asks at once how it is."""
    stage.create()


async def one_is_bad(stage: Stage) -> None:
    """One of two resources holds what no version of the CRD should have let in, and the operator is restarted."""
    stage.create("bad", suspend="perhaps")
    stage.restart()
    await created(stage)


async def malformed_secret(stage: Stage) -> None:
    """A Secret does not hold what its key says."""
    stage.secret(**{".dockerconfigjson": f"not JSON, but {CANARY}"})
    reference = {"secretKeyRef": {"name": "login", "key": ".dockerconfigjson"}}
    stage.create(origin={"type": "docker-hub", "details": {"target": "nginx:1", "tokenFrom": reference}})
    await asyncio.sleep(60)


async def refused_with_secret(stage: Stage) -> None:
    """A request with a credential in it fails."""
    stage.secret(token=CANARY)
    stage.create(origin=WITH_SECRET)
    await asyncio.sleep(60)
    assert stage.sources()[0]["origin"]["details"]["token"] == CANARY


def is_shown(stage: Stage) -> bool:
    """Whether a credential is in the log."""
    return CANARY in stage.log.getvalue()


EXHIBITS = (
    Exhibit(
        "kubernetes-sigs/external-dns#3841",
        "While the other side is in trouble and shows nothing, everything is taken for gone.",
        list_fails, is_duplicate, Habits(absent_from_list_is_gone=True),
    ),
    Exhibit(
        "crossplane/upjet#306",
        "What the platform keeps in another form is written again and again, as fast as it goes.",
        normalised, lambda stage: stage.count("update") > 10, Habits(writes_until_equal=True),
    ),
    Exhibit(
        "aws-controllers-k8s/community#2381",
        "What others have deleted is never made again, as nothing was edited.",
        vanished, lambda stage: not stage.sources(), Habits(only_edits_count=True),
    ),
    Exhibit(
        "gravitational/teleport#34092",
        "Each pass writes the status, and each write of the status begins a pass.",
        a_minute, lambda stage: len(stage.server.writes) > 50, Habits(writes_status_each_time=True),
    ),
    Exhibit(
        "GHSA-f4p5-x4vc-mh4v",
        "One object that cannot be decoded stops the work on all others of its kind (Flux).",
        one_is_bad, lambda stage: not stage.sources(), Habits(one_bad_object_stops_all=True),
    ),
    Exhibit(
        "fluxcd/helm-controller#265",
        "Ready does not say of which generation it speaks, so a wait after an edit ends at once.",
        just_edited, lambda stage: stage.is_ready(), Habits(ready_of_any_generation=True),
    ),
    Exhibit(
        "fluxcd/flux2#5855",
        "An object that nobody has looked at yet passes for one that is in order, as it has no conditions.",
        just_created, lambda stage: stage.is_current(), Habits(has_no_status_at_birth=True),
    ),
    Exhibit(
        "external-secrets/external-secrets#2401",
        "A request that fails is logged with the credential that it carries.",
        refused_with_secret, is_shown, Habits(logs_what_it_sent=True), ((Site.CREATE, Fault.SERVER_ERROR),),
    ),
    Exhibit(
        "external-secrets/kubernetes-external-secrets#542",
        "A Secret that cannot be parsed is logged in full.",
        malformed_secret, is_shown, Habits(logs_what_it_sent=True),
    ),
)  # fmt: skip
