"""Exhibits of creating: duplicates, lost ids, and resources that never get on."""

import asyncio
from typing import Any

from tests.museum.exhibit import Exhibit, created, is_duplicate, is_stuck, ready
from tests.museum.habits import Habits
from tests.museum.stage import NGINX, Stage
from tests.simulation.faults import Fault, Site


async def edited_meanwhile(stage: Stage) -> None:
    """A person edits a resource while its source is being created."""
    stage.create()
    await asyncio.sleep(0.025)
    stage.edit(name="Edited")
    await asyncio.sleep(1800)


async def edited_before_it_is_seen(stage: Stage) -> None:
    """The same, and the watch shows the edit before it shows that there is a source."""
    stage.create()
    await asyncio.sleep(0.15)
    stage.edit(name="Edited")
    await asyncio.sleep(1800)


async def restarted(stage: Stage) -> None:
    """The operator is restarted when everything is in order."""
    await ready(stage)
    stage.restart()
    await asyncio.sleep(1800)


async def deleted_while_created(stage: Stage) -> None:
    """A person deletes a resource while its source is being created."""
    stage.create()
    await asyncio.sleep(0.045)
    stage.delete("web")
    await asyncio.sleep(1800)


async def twins(stage: Stage) -> None:
    """Two resources have the same name on the platform, and one of them is deleted."""
    stage.create("web")
    await asyncio.sleep(10)
    stage.create("web-2", identifier="web")
    await asyncio.sleep(60)
    stage.delete("web-2")
    await asyncio.sleep(5)


async def adopted_twice(stage: Stage) -> None:
    """Two resources adopt one source, and want different things of it."""
    body = {"identifier": "old", "name": "Old", "type": "direct", "origin": NGINX}
    adopt = {"id": stage.platform.create(body, creator="c" * 24)["id"]}
    for number in (1, 2):
        origin: dict[str, Any] = {"type": "docker-hub", "details": {"target": f"nginx:{number}"}}
        stage.create(f"web-{number}", adopt=adopt, origin=origin)
    await asyncio.sleep(3600)


EXHIBITS = (
    Exhibit(
        "crossplane/crossplane-runtime#340",
        "Killed during a create, it refuses for ever to go on, as a create may be pending.",
        created, is_stuck, Habits(marks_pending=True), ((Site.CREATE, Fault.CRASH_AFTER),),
    ),
    Exhibit(
        "crossplane/upjet#632",
        "The id of a new object is not saved, so the object is taken for missing and made again, over and over.",
        created, is_duplicate, faults=((Site.SAVE_ID, Fault.CONFLICT), (Site.SAVE_ID, Fault.CONFLICT)),
    ),
    Exhibit(
        "crossplane/upjet#561",
        "What it knows of its objects is in memory; after a restart it makes them again.",
        restarted, is_duplicate, Habits(keeps_ids_in_memory=True),
    ),
    Exhibit(
        "SAP/crossplane-provider-btp#433",
        "A create that was applied and ended in an error counts as failed; the object is leaked.",
        created, is_duplicate, faults=((Site.CREATE, Fault.REPLY_LOST),),
    ),
    Exhibit(
        "aws-controllers-k8s/community#2062",
        "Killed between the create and the status, it creates again.",
        created, is_duplicate, faults=((Site.CREATE, Fault.CRASH_AFTER),),
    ),
    Exhibit(
        "aws-controllers-k8s/community#2497",
        "A create whose answer was lost leaves an object that it then takes for somebody else's, for ever.",
        created, is_stuck, Habits(refuses_what_exists=True), ((Site.CREATE, Fault.REPLY_LOST),),
    ),
    Exhibit(
        "cert-manager/cert-manager#3551",
        "Its own cache does not show yet what it has just made, so it makes another, again and again.",
        created, is_duplicate, Habits(reads_its_cache=True), lag=3.0,
    ),
    Exhibit(
        "nolar/kopf#729",
        "An edit that arrives before the creation is recorded makes the creation handler run twice.",
        edited_before_it_is_seen, is_duplicate, Habits(reads_its_cache=True), lag=0.1,
    ),
    Exhibit(
        "aws-controllers-k8s/community#2944",
        "A second pass begins while the first still creates; it does not see what the first one makes.",
        edited_meanwhile, is_duplicate, Habits(overlaps=True),
    ),
    Exhibit(
        "outscale/cluster-api-provider-outscale#917",
        "The finalizer is written after the create, so a resource that is deleted meanwhile leaks what was made.",
        deleted_while_created, lambda stage: bool(stage.sources()), Habits(late_finalizer=True),
    ),
    Exhibit(
        "Apicurio/apicurio-registry#9640",
        "Objects are known by name alone: two resources share one, and deleting either deletes it.",
        twins, lambda stage: len(stage.sources()) != 1, Habits(finds_by_identifier=True),
    ),
    Exhibit(
        "aws-controllers-k8s/community#843",
        "Two resources adopt one object and overwrite each other without an end.",
        adopted_twice, lambda stage: stage.count("update") > 5,
    ),
)  # fmt: skip
