"""How access is written in YAML, and that each way of applying keeps it as it was written."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.cluster import Kubectl
from tests.support.scene import Scene, source

Json = dict[str, Any]

OWNER = {"view": True, "modify": True, "manage": True}
SPELLINGS: dict[str, tuple[Json | None, Json | None]] = {
    "roles": ({"roles": {"owner": OWNER}}, {"roles": {"owner": OWNER}}),
    "unrestricted": ({"unrestricted": True}, None),
    "nobody": ({"roles": {}}, {"roles": {}}),
}
"""What is written, and what the platform has then."""


def client_side(kubectl: Kubectl, body: Json) -> None:
    """``kubectl apply``."""
    kubectl.apply(body)


def server_side(kubectl: Kubectl, body: Json) -> None:
    """``kubectl apply --server-side``, as Helm 4, Flux and Argo CD do."""
    kubectl("apply", "--server-side", "--filename=-", input=json.dumps(body))


def replaced(kubectl: Kubectl, body: Json) -> None:
    """``kubectl replace``; creates it the first time."""
    known = f"imagesource.images.cycle.io/{body['metadata']['name']}" in kubectl("get", "imagesources", "--output=name")
    kubectl("replace" if known else "create", "--filename=-", input=json.dumps(body))


@pytest.mark.parametrize("apply", [client_side, server_side, replaced], ids=lambda apply: apply.__name__)
def test_spelling_survives(stage: Scene, apply: Callable[[Kubectl, Json], None]) -> None:
    """Roles, nobody and no restriction stay three things, and no acl leaves access as it is."""
    name = f"acl-{apply.__name__.replace('_', '-')}"
    apply(stage.kubectl, source(name))
    stage.ready(name)
    assert stage.seen(name)["acl"] is None
    for written, had in SPELLINGS.values():
        apply(stage.kubectl, source(name, acl=written))
        stage.ready(name)
        assert stage.get(name)["spec"]["acl"] == written
        assert stage.seen(name)["acl"] == had
    with stage.spending(name) as spent:
        apply(stage.kubectl, source(name))
        stage.ready(name)
    assert "acl" not in stage.get(name)["spec"]
    assert (stage.seen(name)["acl"], spent.calls) == ({"roles": {}}, [])
    stage.delete(name)
