"""The facts of the platform's official description: what is served, without a word of its prose.

``python -m tests.support.facts OPENAPI FACTS`` extracts the operations of ``served.yaml`` and every schema that they
lead to into an OpenAPI 3.1 document. ``load_facts`` reads it with the corrections of ``corrections.yaml`` applied.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path(__file__).parents[1] / "contract"
FACTS = CONTRACT / "facts.json"
CORRECTIONS = CONTRACT / "corrections.yaml"
SERVED = CONTRACT / "served.yaml"
DESCRIPTION = Path(__file__).parents[3] / "shared" / "platform-api" / "openapi.json"

OPERATIONS: frozenset[str] = frozenset(yaml.safe_load(SERVED.read_text()))

WIDTH = 120
"""Columns of the facts' file."""

Json = dict[str, Any]

NEIGHBOURS = frozenset({"Environment", "Stack", "StackBuild"})
"""Resources that ours may include but that are not served: what is inside them is left out."""

_VERBATIM = {
    *("$ref", "type", "format", "enum", "const", "required", "pattern", "default", "deprecated", "discriminator"),
    *("readOnly", "writeOnly", "uniqueItems", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
}
_NESTED = {"items", "additionalProperties", "not"}
_ALTERNATIVES = {"oneOf", "anyOf", "allOf"}
_CAPABILITY = re.compile(r"[`']([a-z]+(?:-[a-z]+)+)[`'] (?:capability|permission)")


def extract(description: Json) -> Json:
    """Returns the facts of the operations that we serve, as an OpenAPI 3.1 document.

    Args:
        description: the official description.
    """
    paths: Json = {}
    for path, item in description["paths"].items():
        operations = {
            method: _operation(operation)
            for method, operation in item.items()
            if isinstance(operation, dict) and operation.get("operationId") in OPERATIONS
        }
        if operations:
            paths[path] = operations
    return {
        "openapi": description["openapi"],
        "info": {"title": "Facts that are served here", "version": description["info"]["version"]},
        "servers": [{"url": server["url"]} for server in description["servers"]],
        "security": description["security"],
        "paths": paths,
        "components": _components(description["components"], paths),
    }


def load_facts() -> Json:
    """Returns the checked-in facts with the corrections applied."""
    facts: Json = json.loads(FACTS.read_text())
    for correction in yaml.safe_load(CORRECTIONS.read_text()):
        if "value" in correction:
            *parents, last = _pointer(correction["path"])
            place = _at(facts, parents)
            place[_key(place, last)] = correction["value"]
    return facts


def resolve(facts: Json, schema: Json) -> Json:
    """Returns the schema that a ``$ref`` leads to, or the schema itself."""
    while "$ref" in schema:
        schema = _at(facts, _pointer(schema["$ref"].removeprefix("#")))
    return schema


def _pointer(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _at(document: Any, steps: list[str]) -> Any:
    for step in steps:
        document = document[_key(document, step)]
    return document


def _key(document: Json | list[Any], step: str) -> Any:
    return int(step) if isinstance(document, list) else step


def _operation(operation: Json) -> Json:
    facts: Json = {"operationId": operation["operationId"]}
    if capabilities := _CAPABILITY.findall(operation.get("description", "")):
        facts["x-capabilities"] = capabilities
    if "security" in operation:
        facts["security"] = operation["security"]
    facts["parameters"] = [_parameter(parameter) for parameter in operation.get("parameters", [])]
    if body := operation.get("requestBody"):
        facts["requestBody"] = {key: body[key] for key in ("required",) if key in body} | _content(body)
    facts["responses"] = {status: _response(response) for status, response in operation["responses"].items()}
    return facts


def _parameter(parameter: Json) -> Json:
    kept = {key: parameter[key] for key in ("$ref", "name", "in", "required", "style", "explode") if key in parameter}
    return kept | ({"schema": _schema(parameter["schema"])} if "schema" in parameter else {})


def _response(response: Json) -> Json:
    if "$ref" in response:
        return {"$ref": response["$ref"]}
    headers = {name: {"schema": _schema(header["schema"])} for name, header in response.get("headers", {}).items()}
    # OpenAPI requires a description, which may be empty.
    return {"description": ""} | ({"headers": headers} if headers else {}) | _content(response)


def _content(holder: Json) -> Json:
    content = {media: {"schema": _schema(body["schema"])} for media, body in holder.get("content", {}).items()}
    return {"content": content} if content else {}


def _schema(schema: Any) -> Any:
    """Returns a schema by what is known to be no prose; a property may well be called ``description``."""
    if not isinstance(schema, dict):
        return schema
    facts: Json = {}
    for key, value in schema.items():
        if key == "properties":
            facts[key] = {name: _schema(property_) for name, property_ in value.items()}
        elif key in _NESTED:
            facts[key] = _schema(value)
        elif key in _ALTERNATIVES:
            facts[key] = [_schema(alternative) for alternative in value]
        elif key in _VERBATIM:
            facts[key] = value
    return facts


def _components(components: Json, paths: Json) -> Json:
    """Returns the security schemes, and every component that the paths lead to."""
    schemes = {
        name: {key: value for key, value in scheme.items() if key != "description"}
        for name, scheme in components["securitySchemes"].items()
    }
    read = {"parameters": _parameter, "responses": _response, "schemas": _schema}
    found: Json = {kind: {} for kind in read}
    pending = _references(paths)
    while pending:
        kind, name = _pointer(pending.pop().removeprefix("#"))[1:]
        if name in NEIGHBOURS:
            found[kind][name] = {"type": "object"}
        elif name not in found[kind]:
            found[kind][name] = read[kind](components[kind][name])
            pending |= _references(found[kind][name])
    return {"securitySchemes": schemes} | found


def _references(node: object) -> set[str]:
    if isinstance(node, dict):
        return set().union(*(_references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(value) for value in node))
    return {node} if isinstance(node, str) and node.startswith("#/components/") else set()


def render(node: object, indent: str = "") -> str:
    """Returns JSON in an order that does not depend on the description's; what fits stands on one line."""
    flat = json.dumps(node, sort_keys=True)
    if len(indent) + len(flat) <= WIDTH or not node or not isinstance(node, dict | list):
        return flat
    deeper = f"{indent} "
    if isinstance(node, list):
        lines, (start, end) = [render(item, deeper) for item in node], "[]"
    else:
        lines, (start, end) = [f"{json.dumps(key)}: {render(node[key], deeper)}" for key in sorted(node)], "{}"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(lines) + f"\n{indent}{end}"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(render(extract(json.loads(source.read_text()))) + "\n")
