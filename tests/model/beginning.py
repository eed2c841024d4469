"""How it all begins: resources that a person has just created, and what they ask for."""

from typing import Any

from tests.model.moves import Moves
from tests.model.passes import HUB_ID, name_of, uid_of
from tests.model.platform import first_platform
from tests.model.ports import Question
from tests.model.state import OPERATORS, Scene, World
from tests.model.values import freeze

from imagesources.resources import API_VERSION

Json = dict[str, Any]

ROLES = {"dev": {"view": True, "modify": False, "manage": False}}
ORIGIN = {"type": "docker-hub", "details": {"target": "nginx:1.29"}}
NAME = "web"
"""Of all resources and of the other's source: identifiers are not unique."""


def first_world(scene: Scene, moves: Moves) -> World:
    """The state that it all begins with: a person has created the resources, the operators start."""
    twin = {"identifier": NAME, "name": NAME, "type": "direct", "origin": {"type": "none"}}
    platform = first_platform(twin if scene.foreign else None)
    return World(
        contents=tuple(freeze(_resource(number)) for number in range(scene.resources)),
        platform=platform,
        listing=moves.platforms.ask(platform, Question("list"))[1].body,
        operators=(OPERATORS.number(moves.newborn),) * scene.operators,
        matched=(False,) * scene.resources,
    )


def wanted(scene: Scene) -> tuple[Json, ...]:
    """What each resource wants, as the platform has it."""
    return ({"identifier": NAME, "origin": ORIGIN, "acl": {"roles": ROLES}, "hub_id": HUB_ID},) * scene.resources


def _resource(number: int) -> Json:
    metadata = {
        "name": name_of(number), "namespace": "default", "uid": uid_of(number), "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z", "finalizers": [], "annotations": {},
    }  # fmt: skip
    spec = {
        "type": "direct", "identifier": NAME, "origin": ORIGIN, "acl": {"roles": ROLES}, "adopt": {"policy": "Never"},
        "managementPolicy": "Manage", "driftPolicy": "Correct", "suspend": False,
    }  # fmt: skip
    status = {"observedGeneration": -1}
    return {"apiVersion": API_VERSION, "kind": "ImageSource", "metadata": metadata, "spec": spec, "status": status}
