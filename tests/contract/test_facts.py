"""The checked-in facts are those of the official description, and our code knows them."""

import ast
import json
import os
import re
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from tests.support.facts import CORRECTIONS, DESCRIPTION, FACTS, OPERATIONS, extract, load_facts, render, resolve

from imagesources.platform import models
from imagesources.platform.models import ApiModel

PACKAGE = Path(models.__file__).parents[1]

UNREAD = {
    "Job.schedule": "the operator shows when a job was queued, started and completed",
    "Job.expires": "an expired job says so in its state",
    "Job.hash": "an implementation's bookkeeping",
    "Job.limit_duplicates": "an implementation's bookkeeping",
    "Job.creator": "the operator follows the jobs of its own requests only",
    "JobTask.input": "may echo secrets",
    "JobTask.output": "may echo secrets",
    "JobDescriptor.job.queue": "the job itself is read for anything beyond its id",
    "JobDescriptor.job.schedule": "the job itself is read for anything beyond its id",
    "JobDescriptor.job.parallel": "the job itself is read for anything beyond its id",
    "JobDescriptor.job.tasks": "the job itself is read for anything beyond its id, and inputs may echo secrets",
    "ImageSource.origin": "kept as plain JSON: the operator compares it leaf by leaf",
    "ImageSource.meta.images_count.state": "kept as numbers by state",
    "ImageSource.creator.type": "kept as written: no decision depends on it",
}
"""What the models leave out or do not look into, and why."""

MODELS = {
    "ImageSource": models.Source,
    "ACL": models.Acl,
    "Job": models.Job,
    "JobTask": models.Task,
    "TaskStep": models.TaskStep,
    "JobDescriptor": models.JobDescriptor,
}


def test_facts_are_current() -> None:
    """Where the official description is at hand, as in CI, the file is what would be extracted; it is complete."""
    checked_in = FACTS.read_text()
    facts = json.loads(checked_in)
    if DESCRIPTION.exists():
        facts = extract(json.loads(DESCRIPTION.read_text()))
    else:
        assert os.environ.get("CI") != "true", f"nothing to compare the facts with: there is no {DESCRIPTION}"
    assert checked_in == render(facts) + "\n"
    served = [operation["operationId"] for item in facts["paths"].values() for operation in item.values()]
    assert sorted(served) == sorted(OPERATIONS)


def nodes(node: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every object of a document with its path."""
    if isinstance(node, dict):
        yield path, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from nodes(value, f"{path}/{key}")


@pytest.mark.parametrize("facts", [json.loads(FACTS.read_text()), load_facts()], ids=["as-described", "corrected"])
def test_facts_are_an_openapi_document(facts: dict[str, Any]) -> None:
    """Every reference leads somewhere, and every operation has what OpenAPI 3.1 requires."""
    assert facts["openapi"].startswith("3.1")
    for path, node in nodes(facts):
        if isinstance(node.get("$ref"), str):
            assert resolve(facts, node), path
    for path, item in facts["paths"].items():
        for operation in item.values():
            named = {parameter["name"] for parameter in operation["parameters"] if parameter.get("in") == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
            assert all("$ref" in response or "description" in response for response in operation["responses"].values())


def test_facts_hold_no_prose() -> None:
    """No sentence of the description is copied: not in a place for prose, nor anywhere else."""
    for path, node in nodes(json.loads(FACTS.read_text())):
        is_names = path.endswith("/properties")
        for key, value in node.items():
            assert is_names or key not in ("summary", "examples", "example", "externalDocs"), path
            assert is_names or key != "description" or value == "", path
            assert not isinstance(value, str) or path == "/info" or " " not in value, path


def test_corrections_have_a_place_and_a_reason() -> None:
    """Each correction names an existing place, or adds one, and says what and why."""
    facts = load_facts()
    for correction in yaml.safe_load(CORRECTIONS.read_text()):
        assert {"path", "fact", "reason"} <= correction.keys() <= {"path", "fact", "reason", "value"}
        steps = [step.replace("~1", "/").replace("~0", "~") for step in correction["path"].split("/")[1:]]
        node: Any = facts
        for step in steps:
            node = node[int(step) if isinstance(node, list) else step]
        assert correction.get("value", node) == node


def merged(facts: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the one object that a schema describes, null and references aside."""
    schema = resolve(facts, schema)
    for part in [*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        part_facts = merged(facts, part)
        if part_facts.get("type") != "null":
            properties = schema.get("properties", {}) | part_facts.get("properties", {})
            schema = part_facts | schema | ({"properties": properties} if properties else {})
    return schema


def annotations(annotation: object) -> Iterator[object]:
    """Yields the plain types, and the literals as they are, that an annotation is made of."""
    origin = get_origin(annotation)
    if origin in (Annotated, Union, UnionType, tuple, dict, list):
        for argument in get_args(annotation)[: 1 if origin is Annotated else None]:
            yield from annotations(argument)
    else:
        yield annotation


def unknown(facts: dict[str, Any], schema: dict[str, Any], known: list[object], path: str) -> Iterator[str]:
    """Yields the properties and enum values of a schema that the types cannot take."""
    schema = merged(facts, schema)
    values = {value for kind in known for value in values_of(kind)}
    yield from (f"{path}={value}" for value in schema.get("enum", ()) if value not in values)
    fields = {name: field for kind in known if is_model(kind) for name, field in kind.model_fields.items()}
    for name, property_ in schema.get("properties", {}).items():
        if name not in fields:
            yield f"{path}.{name}"
        else:
            yield from unknown(facts, property_, list(annotations(fields[name].annotation)), f"{path}.{name}")
    for nested in ("items", "additionalProperties"):
        if isinstance(schema.get(nested), dict):
            yield from unknown(facts, schema[nested], known, path)


def values_of(kind: object) -> list[object]:
    """Returns the values that a literal or an enum can take."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return list(kind) if isinstance(kind, EnumType) else []


def is_model(kind: object) -> bool:
    """Tells whether this is one of the API's models."""
    return isinstance(kind, type) and issubclass(kind, ApiModel)


def test_models_know_every_fact() -> None:
    """Each property and enum value has its place in a model, or its reason in ``UNREAD``, which has no others."""
    facts = load_facts()
    schemas = facts["components"]["schemas"]
    missing = {entry for name, model in MODELS.items() for entry in unknown(facts, schemas[name], [model], name)}
    missing = {re.sub(r"^Job\.tasks\b", "JobTask", entry) for entry in missing}
    explained = {entry: [key for key in UNREAD if re.match(rf"{re.escape(key)}(?![\w-])", entry)] for entry in missing}
    assert [entry for entry, keys in explained.items() if not keys] == []
    assert {key for keys in explained.values() for key in keys} == set(UNREAD)


def test_error_codes_are_described() -> None:
    """Every error code that our code names is one of the platform's."""
    described = set(load_facts()["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    named = {
        (node.value, path.name)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"[45]\d\d\.[a-z0-9.-]+", node.value)
    }
    assert {entry for entry in named if entry[0] not in described} == set()
    assert "401.auth-invalid" in {code for code, _ in named}
