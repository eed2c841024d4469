"""What happens to a resource while the operator is killed, and the writes that it takes without a fault."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.kills.stage import LATE, Stage
from tests.support.platform import secret
from tests.support.scene import NGINX
from tests.support.waiting import wait_for

Act = Callable[[Stage], None]

OWNER = {"owner": {"view": True, "modify": True, "manage": True}}
DEVELOPER = {"developer": {"view": True, "modify": False, "manage": False}}
FOREIGN = {"name": "Foreign", "identifier": "shared", "type": "direct", "origin": NGINX}
PRIVATE = {**NGINX, "details": {**NGINX["details"], "username": "ci"}}
PRIVATE["details"]["tokenFrom"] = {"secretKeyRef": {"name": "registry", "key": "token"}}


@dataclass(frozen=True)
class Scenario:
    """One event and what it takes.

    Attributes:
        sites: the writes of a run without a fault, in their order; the operator is killed at each.
        happen: the event.
        prepare: what comes before; everything is in order after it.
        meanwhile: what people do while no operator runs, or, without a fault, when the event is over.
        offline: the event happens while no operator runs, and its start is a part of it.
    """

    sites: tuple[str, ...]
    happen: Act
    prepare: Act | None = None
    meanwhile: Act | None = None
    offline: bool = False


def _created(stage: Stage) -> None:
    stage.create(name="Before")


def _delete(stage: Stage) -> None:
    stage.resources.delete("web")


def _given_foreign(stage: Stage) -> None:
    stage.others("POST", body=FOREIGN)


def _given_twin(stage: Stage) -> None:
    stage.create("twin", identifier="shared")


def _given_restricted(roles: dict[str, object]) -> Act:
    return lambda stage: stage.create(name="Before", acl={"roles": roles})


def _given_private(stage: Stage) -> None:
    stage.resources.create(secret("registry", token="first"))
    stage.create(origin=PRIVATE)


def _given_orphan(stage: Stage) -> None:
    """A source whose resource is gone, as after the loss of a cluster."""
    stage.create(identifier="shared", deletionPolicy="Orphan")
    stage.settle()
    stage.resources.delete("web")


def _given_restored(stage: Stage) -> None:
    _given_orphan(stage)
    stage.settle()
    stage.create(identifier="shared")


def _adopt_by_id(stage: Stage) -> None:
    stage.create(name="Adopted", adopt={"id": stage.ids[0]})


def _duplicate(stage: Stage) -> None:
    """A POST of the operator's arrives very late."""
    uid = stage.resources.all()["web"]["metadata"]["uid"]
    stage.others("POST", body={**FOREIGN, "name": "Before", "identifier": f"k8s-{uid}"})


def _lose(stage: Stage) -> None:
    """Other hands delete the source, so long after its create that a request for that cannot be under way any more."""
    since = time.monotonic()
    wait_for(lambda: time.monotonic() > since + LATE + 1, what="the create to be long past, in whole seconds")
    stage.others("DELETE", f"/{stage.ids[0]}")
    wait_for(lambda: not stage.platform.sources(), what="the platform's job to end")


CREATION = ("intent", "POST", "id", "identifier", "status")

SCENARIOS = {
    "create": Scenario(CREATION, lambda stage: stage.create(acl={"roles": OWNER})),
    "create-then-delete": Scenario(CREATION, lambda stage: stage.create(), meanwhile=_delete),
    "create-then-edit": Scenario(
        CREATION, lambda stage: stage.create(), meanwhile=lambda stage: stage.edit(about={"description": "New"})
    ),
    "update": Scenario(("content", "status"), lambda stage: stage.edit(name="After"), _created),
    "identifier": Scenario(("identifier", "status"), lambda stage: stage.edit(identifier="after"), _created),
    "access": Scenario(("access", "status"), lambda stage: stage.edit(acl={"roles": OWNER}), _created),
    "update-then-delete": Scenario(
        ("content", "status"), lambda stage: stage.edit(name="After"), _created, meanwhile=_delete
    ),
    "update-and-narrow": Scenario(
        ("access", "content", "status"),
        lambda stage: stage.edit(name="After", acl={"roles": {"developer": None, **OWNER}}),
        _given_restricted({**OWNER, **DEVELOPER}),
    ),
    "update-and-widen": Scenario(
        ("content", "access", "status"),
        lambda stage: stage.edit(name="After", acl={"roles": {**OWNER, **DEVELOPER}}),
        _given_restricted(OWNER),
    ),
    "delete": Scenario(("DELETE", "job", "job", "release"), _delete, _created),
    "orphan": Scenario(("release",), _delete, lambda stage: stage.create(name="Before", deletionPolicy="Orphan")),
    "adopt-by-id": Scenario(("intent", "id", "content", "status"), _adopt_by_id, _given_foreign),
    "adopt-by-identifier": Scenario(
        ("intent", "id", "status"), lambda stage: stage.create(adopt={"identifier": "shared"}), _given_foreign
    ),
    "lose-and-create-again": Scenario(("forget id", *CREATION[1:]), _lose, _created, offline=True),
    "restore": Scenario(("intent", "status"), lambda stage: stage.create(identifier="shared"), _given_orphan),
    "restore-and-adopt": Scenario(
        ("id", "status"),
        lambda stage: stage.edit(adopt={"id": stage.ids[0]}),
        _given_restored,
    ),
    "restore-and-create-anew": Scenario(
        CREATION[1:], lambda stage: stage.edit(adopt={"policy": "Never"}), _given_restored
    ),
    "secret": Scenario(
        ("content", "status"), lambda stage: stage.resources.patch_secret("registry", token="second"), _given_private
    ),
    "same-identifier": Scenario(CREATION, lambda stage: stage.create(identifier="shared"), _given_twin),
    "same-identifier-as-foreign": Scenario(
        CREATION, lambda stage: stage.create(identifier="shared", adopt={"policy": "Never"}), _given_foreign
    ),
    "drift": Scenario(
        ("content",), lambda stage: stage.others("PATCH", f"/{stage.ids[0]}", {"name": "Changed"}), _created
    ),
    "duplicate": Scenario(("audit DELETE",), _duplicate, _created),
}
