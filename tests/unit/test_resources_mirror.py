"""The CRD mirrors the API: each property of the bodies that create and change a source, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.alias_generators import to_snake

from imagesources.resources.origin import Origin
from imagesources.resources.registry import RegistryAuth
from imagesources.resources.repository import RepoAuth
from imagesources.resources.variants import Variants

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]

BODIES = (
    ("/v1/images/sources", "post"),
    ("/v1/images/sources/{sourceId}", "patch"),
    ("/v1/images/sources/{sourceId}/access", "patch"),
)

OPERATORS_OWN = {"hubRef", "adopt", "managementPolicy", "deletionPolicy", "driftPolicy", "suspend"}
"""Fields of spec that say what the operator does, and are no part of a source."""

ONLY_HERE = {
    "acl.unrestricted": "the API's null, which client-side apply and Helm drop",
    "origin.details.source_ref.name": "an ImageSource by name, where the API has the id of its source",
    "origin.details.existing.source_ref.name": "as above",
}
"""Fields of the CRD that the API does not have."""

CREDENTIALS = {"token", "password", "passphrase", "private_key", "api_key", "secret"}
"""Properties of the API that the CRD has as ``…From`` alone, so that they are never in a resource."""

VARIANTS = {
    "origin": Origin.variants,
    "origin.details.auth": RegistryAuth.variants,
    "origin.details.repo.auth": RepoAuth.variants,
}


def test_mirror_is_whole() -> None:
    """Every property of the API, in every variant, has its counterpart in the CRD with the same type and values."""
    assert _api() - _crd() == set()


def test_mirror_adds_nothing() -> None:
    """What the CRD has beside it is listed here with a reason, and every entry of the list is needed."""
    assert {_plain(path) for path, _ in _crd() - _api()} == set(ONLY_HERE)


def test_operators_own_fields() -> None:
    """The operator's own fields are kept apart from the mirror's and do not take a name of the API's."""
    api = {path.split(".")[0].split("[")[0] for path, _ in _api()}
    assert set(_spec()) - OPERATORS_OWN == api


def test_credentials_only_by_reference() -> None:
    """No credential of the API has a field that holds the value itself."""
    written = {key for path, key in _keys(_spec()["origin"]) if not path.endswith("secretKeyRef")}
    named = {to_snake(key.removesuffix("From")) for key in written if key.endswith("From")}
    assert named >= CREDENTIALS
    assert {to_snake(key) for key in written} & CREDENTIALS == set()


def _spec() -> Json:
    crd = yaml.safe_load((ROOT / "crds" / "images.cycle.io_imagesources.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    properties: Json = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return properties


def _crd() -> set[tuple[str, str]]:
    """The leaves of the mirror: path in the API's words with variants in brackets, and type."""
    mirror = {key: schema for key, schema in _spec().items() if key not in OPERATORS_OWN}
    return set(_crd_leaves({"properties": mirror}, ""))


def _crd_leaves(schema: Json, path: str) -> Iterator[tuple[str, str]]:
    if variants := VARIANTS.get(_plain(path)):
        for kind in schema["properties"]["type"]["enum"]:
            yield f"{path}[{kind}]", "variant"
            yield from _crd_parts(_variant(schema, variants, variants.fields[kind]), f"{path}[{kind}]")
        return
    yield from _crd_parts(schema, path)


def _crd_parts(schema: Json, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _crd_leaves(schema["additionalProperties"], f"{path}.*")
    elif "items" in schema:
        yield from _crd_leaves(schema["items"], f"{path}.*")
    elif "properties" not in schema:
        yield path, _type(schema)
    for key, part in schema.get("properties", {}).items():
        name = to_snake(key.removesuffix("From"))
        below = f"{path}.{name}".removeprefix(".")
        yield from [(below, "string")] if key.endswith("From") else _crd_leaves(part, below)


def _variant(schema: Json, variants: Variants, fields: tuple[str, ...]) -> Json:
    """What one type has of an object that holds the fields of all."""
    holder = schema["properties"][variants.holder]["properties"]
    return {"properties": {variants.holder: {"properties": {field: holder[field] for field in fields}}}}


def _api() -> set[tuple[str, str]]:
    """The same of the bodies in the API's description."""
    facts = json.loads((ROOT / "tests" / "contract" / "facts.json").read_text())
    bodies = [facts["paths"][path][verb]["requestBody"] for path, verb in BODIES]
    schemas = [body["content"]["application/json"]["schema"] for body in bodies]
    return {leaf for schema in schemas for leaf in _api_leaves(facts["components"]["schemas"], schema, "")}


def _api_leaves(known: Json, schema: Json, path: str) -> Iterator[tuple[str, str]]:
    if "$ref" in schema:
        yield from _api_leaves(known, known[schema["$ref"].rsplit("/", 1)[-1]], path)
    elif "discriminator" in schema:
        for kind, ref in schema["discriminator"]["mapping"].items():
            variant = known[ref.rsplit("/", 1)[-1]]
            yield f"{path}[{kind}]", "variant"
            rest = {name: part for name, part in variant["properties"].items() if name != "type"}
            yield from _api_leaves(known, variant | {"properties": rest}, f"{path}[{kind}]")
    elif alternatives := schema.get("oneOf", schema.get("anyOf")):
        (only,) = [each for each in alternatives if each.get("type") != "null"]
        yield from _api_leaves(known, only, path)
    elif below := schema.get("additionalProperties", schema.get("items")):
        yield from _api_leaves(known, below, f"{path}.*")
    elif "properties" in schema:
        for name, part in schema["properties"].items():
            yield from _api_leaves(known, part, f"{path}.{name}".removeprefix("."))
    else:
        yield path, _type(schema)


def _type(schema: Json) -> str:
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    values = schema.get("enum", [])
    return " ".join([*(each for each in types if each != "null"), *sorted(map(str, values))])


def _plain(path: str) -> str:
    """The path without its variants."""
    return "".join(part.split("]")[-1] for part in path.split("["))


def _keys(schema: Json, path: str = "") -> Iterator[tuple[str, str]]:
    for key, part in schema.get("properties", {}).items():
        yield path, key
        yield from _keys(part.get("items", part), f"{path}.{key}")
