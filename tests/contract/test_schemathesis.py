"""The served operations are those listed, and Schemathesis finds no fault with any of them, in all of its phases.

``SCHEMATHESIS_EXAMPLES`` is how many requests each phase makes up for each operation.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.embedded import NONE, Api, embedded_api
from tests.support.facts import load_facts, resolve

from imagesources.embedded import Options
from imagesources.embedded.routes import ROUTES

SETTINGS = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "40")

NOT_OF_THE_API = {("GET", "/healthz"), ("GET", "/metrics")}

LINKS = {
    "createImageSource": {
        "sourceId": (
            "getImageSource",
            "updateImageSource",
            "updateImageSourceAccess",
            "deleteImageSource",
        ),
        "source_id": ("createImage",),
    },
    "createImage": {"imageId": ("getImage", "createImageJob", "deleteImage")},
    "createIntegration": {"integrationId": ("getIntegration", "updateIntegration", "deleteIntegration")},
    "createRole": {"roleId": ("getRole", "updateRole", "deleteRole")},
    "createImageJob": {"jobId": ("getJob",)},
    "deleteImageSource": {"jobId": ("getJob",)},
}
"""Which operations take the id that one answers with, and as what; a name with ``_`` is a property of the body."""


REGISTRY = {"target": "app", "url": "https://registry.example.com"}
USER = {"type": "user", "details": {"username": "ci", "token": "t"}}
ORIGINS: list[dict[str, Any]] = [
    NONE,
    {"type": "docker-hub", "details": {"target": "nginx:1.29"}},
    {"type": "docker-file", "details": {"repo": {"url": "https://git.example.com/r.git", "branch": "main"}}},
    {"type": "docker-registry", "details": REGISTRY},
    {"type": "oci-registry", "details": {**REGISTRY, "auth": USER}},
    {"type": "cycle-upload", "details": {"expires": "2030-01-30T08:30:00Z", "token": "t"}},
    {"type": "cycle-source", "details": {"source_id": "5f" * 12}},
]
BUILDER = {"builder": {"integration_id": "farm"}}
ROLE = {"identifier": "dev", "name": "Developers", "rank": 3, "extra": {"a": "b"}}

BODIES: dict[str, list[dict[str, Any]]] = {
    "createImageSource": [
        {"type": "direct", "name": "Web", "identifier": "web", "origin": origin, "acl": {"roles": {}}, **BUILDER}
        for origin in ORIGINS
    ],
    "updateImageSource": [{"name": "Other", "about": {"description": "x"}, "origin": NONE, **BUILDER}],
    "updateImageSourceAccess": [
        {"acl": None},
        {"acl": {"roles": {"dev": {"view": True, "modify": True, "manage": True}}}},
    ],
    "createImage": [{"source_id": "SOURCE", "name": "One", "build": {"args": {"A": "b"}, "use_disk": True}}],
    "createImageJob": [{"action": "import"}],
    "createIntegration": [{"name": "Another", "identifier": "mill", "vendor": "depot", "auth": {"api_key": "k"}}],
    "updateIntegration": [{"name": "Renamed", "auth": None, "extra": {"a": "b"}}],
    "createRole": [{**ROLE, "capabilities": {"all": False, "specific": ["images-view"]}}],
    "updateRole": [{**ROLE, "capabilities": None}],
}
"""Bodies that are known to be good, for the phase of examples; the description has none."""


def by_id(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Returns method, path and facts of each operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_routes_are_those_listed() -> None:
    """The server has a route for each operation of the list, and no other."""
    served = {(route.method, re.sub(r"{\w+}", "{}", route.path)) for route in ROUTES}
    listed = {(method, re.sub(r"{\w+}", "{}", path)) for method, path, _ in by_id(load_facts()).values()}
    assert served - NOT_OF_THE_API == listed
    assert served >= NOT_OF_THE_API


async def resources(api: Api) -> dict[str, str]:
    """Creates one resource of each kind, and returns their ids by the names of the paths' parameters."""
    integration = await api.integration("farm")
    source = await api.create(**BUILDER)
    other = await api.create()  # a source that is deleted takes its images with it
    image = (await api("POST", "/v1/images", {"source_id": other["id"]})).data
    role = (await api("POST", "/v1/hubs/current/roles", {"identifier": "ops", "rank": 1})).data
    job_id = await api.delete((await api.create())["id"])
    ids = {"sourceId": source["id"], "imageId": image["id"], "integrationId": integration["id"]}
    return {**ids, "roleId": role["id"], "jobId": job_id}


def described(ids: dict[str, str]) -> dict[str, Any]:
    """Returns the corrected facts with examples, and with links between the operations: the description has neither."""
    facts = load_facts()
    operations = by_id(facts)
    for operation_id, (_, _, operation) in operations.items():
        for parameter in operation["parameters"]:
            if parameter.get("in") == "path":
                parameter["example"] = ids[parameter["name"]]
        for number, body in enumerate(BODIES.get(operation_id, ())):
            example = {**body, "source_id": ids["sourceId"]} if "source_id" in body else body
            content = operation["requestBody"]["content"]["application/json"]
            content.setdefault("examples", {})[str(number)] = {"value": example}
    for operation_id, uses in LINKS.items():
        responses = operations[operation_id][2]["responses"]
        success = resolve(facts, responses[min(status for status in responses if status.startswith("2"))])
        for name, targets in uses.items():
            answered = "$response.body#/data/job/id" if name == "jobId" else "$response.body#/data/id"
            given = {"requestBody": {name: answered}} if "_" in name else {"parameters": {name: answered}}
            success.setdefault("links", {}).update({target: {"operationId": target, **given} for target in targets})
    # A source refuses a builder whose vendor builds nothing, which no schema can say: only integrations that build are
    # created here. test_embedded_integrations.py has the others.
    body = operations["createIntegration"][2]["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["vendor"]["enum"] = ["depot"]
    return facts


@pytest.mark.timeout(3600)
async def test_schemathesis(database: str, tmp_path: Path) -> None:
    """Examples, coverage, fuzzing and stateful: no server error, and nothing that the facts do not allow."""
    document = tmp_path / "facts.json"
    async with embedded_api(database, Options(step_seconds=0.01)) as api:
        document.write_text(json.dumps(described(await resources(api))))
        flags = ("--url", api.url, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing,stateful")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(SETTINGS)),
            *("run", str(document), *flags),
            env={**os.environ, "API_KEY": api.key, "HUB_ID": api.hub_id},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    print(output.decode())
    assert process.returncode == 0
    assert f"Tested: {len(by_id(load_facts()))}\n" in output.decode()
