"""Exhibits of deleting: what leaks, what never ends, and what should have been left alone."""

import asyncio

from tests.museum.exhibit import Exhibit, is_leaked, never_ends, ready
from tests.museum.habits import Habits
from tests.museum.stage import Stage
from tests.simulation.cluster import SECRETS, SOURCES
from tests.simulation.faults import Fault, Site

WITH_SECRET = {
    "type": "docker-hub",
    "details": {"target": "nginx:1", "tokenFrom": {"secretKeyRef": {"name": "login", "key": "token"}}},
}


async def deleted(stage: Stage) -> None:
    """A person deletes a resource, and half an hour goes by."""
    await ready(stage)
    stage.delete()
    await asyncio.sleep(1800)


async def job_fails(stage: Stage) -> None:
    """The job that deletes the source fails."""
    await ready(stage)
    stage.delete()
    await asyncio.sleep(200)


async def gone_before(stage: Stage) -> None:
    """Others delete the source, and then a person the resource."""
    await ready(stage)
    stage.vanish()
    stage.delete()
    await asyncio.sleep(1800)


async def secret_goes_first(stage: Stage) -> None:
    """A namespace is deleted, its Secret before its resource."""
    stage.secret(token="a token")
    stage.create(origin=WITH_SECRET)
    await asyncio.sleep(60)
    assert stage.sources()
    stage.server.delete(SECRETS, "login")
    stage.delete()
    await asyncio.sleep(1800)


async def stale_deletion(stage: Stage) -> None:
    """After a resource was made anew, a stale apiserver tells of the deletion of its predecessor again."""
    await ready(stage)
    stage.delete()
    predecessor = stage.resource()
    assert predecessor
    await asyncio.sleep(60)
    await ready(stage)
    stage.replay(predecessor)
    await asyncio.sleep(20)


async def killed_while_deleting(stage: Stage) -> None:
    """The operator is killed when it has asked for the source to be deleted."""
    await ready(stage)
    stage.delete()
    await asyncio.sleep(0.5)
    stage.restart()
    await asyncio.sleep(3600)


async def resources_lost(stage: Stage) -> None:
    """The resources are lost with their cluster, and the operator starts in a new one."""
    await ready(stage)
    del stage.server.objects[SOURCES, "web"]
    stage.restart()
    await asyncio.sleep(1800)


async def list_is_empty(stage: Stage) -> None:
    """A resource is deleted while no operator runs; the next one is shown an empty list first, without an error."""
    await ready(stage)
    stage.stop(stage.processes[0])
    stage.delete()
    stage.script.planned = [(Site.INVENTORY, Fault.EMPTY)]
    stage.start()
    await asyncio.sleep(1800)


EXHIBITS = (
    Exhibit(
        "aws-controllers-k8s/runtime#229",
        "An accepted deletion counts as done; if it fails later, the object stays and nobody knows of it.",
        job_fails, is_leaked, Habits(lets_go_at_once=True), ((Site.JOB_END, Fault.JOB_FAILS),),
    ),
    Exhibit(
        "pingcap/tidb-operator#6532",
        "A list that does not show an object is taken for proof that it is gone; the finalizer goes, the object stays.",
        list_is_empty, is_leaked, Habits(absent_from_list_is_gone=True),
    ),
    Exhibit(
        "crossplane-contrib/provider-http#60",
        "The deletion is sent again with every look, as long as the object is there.",
        deleted, lambda stage: stage.count("delete") > 1, Habits(deletes_again_and_again=True),
    ),
    Exhibit(
        "aclerici38/pocket-id-operator#545",
        "What others have deleted cannot be deleted; the resource stays for ever.",
        gone_before, never_ends, Habits(missing_is_failure=True),
    ),
    Exhibit(
        "crossplane-contrib/provider-aws#1094",
        "A Secret that the spec names is deleted first; without it the resource cannot be deleted.",
        secret_goes_first, never_ends, Habits(needs_secrets_to_delete=True),
    ),
    Exhibit(
        "k8ssandra/cass-operator#118",
        "A stale event about a deleted predecessor of the same name deletes what belongs to its successor.",
        stale_deletion, lambda stage: stage.count("delete") > 1, Habits(deletes_by_name=True),
    ),
    Exhibit(
        "Orange-OpenSource/casskop#370",
        "How far a deletion has come is in memory; killed in the middle, it never finishes, and takes no order since.",
        killed_while_deleting, never_ends, Habits(remembers_deletions_in_memory=True),
    ),
    Exhibit(
        "strimzi/strimzi-kafka-operator#3080",
        "Started in a new cluster, it deletes everything that no resource there speaks of.",
        resources_lost, lambda stage: not stage.sources(), Habits(deletes_what_it_does_not_know=True),
    ),
)  # fmt: skip
