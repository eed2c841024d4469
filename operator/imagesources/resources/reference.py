"""Write the reference pages: one per kind, from its CRD, and one of the conditions and their reasons."""

from collections.abc import Iterable, Iterator
from typing import Any

from imagesources.resources.base import VALIDATIONS
from imagesources.resources.conditions import ConditionType, Reason
from imagesources.resources.fields import SecretKeyRef

Json = dict[str, Any]

_SECRETS = f"""The type *Secret* is written `secretKeyRef: {{name: …, key: …}}`:

- `name`: {SecretKeyRef.model_fields["name"].description}
- `key`: {SecretKeyRef.model_fields["key"].description}"""


def kind_page(crd: Json, example: str) -> str:
    """Write the page of a kind in Markdown.

    Args:
        crd: its CustomResourceDefinition.
        example: a resource of this kind, in YAML.
    """
    names, group, (version,) = crd["spec"]["names"], crd["spec"]["group"], crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    spec, status = (list(_fields(schema["properties"][part], "")) for part in ("spec", "status"))
    rules = [
        rule for path, node in [("", schema), ("", schema["properties"]["spec"]), *spec] for rule in _rules(node, path)
    ]
    return f"""# {names["kind"]}

{schema["description"]}

`apiVersion: {group}/{version["name"]}`, `kind: {names["kind"]}`, {crd["spec"]["scope"].lower()};
`kubectl get {names["plural"]}`, for short `{names["shortNames"][0]}`.

```yaml
{example.strip()}
```

## spec

{_table(spec)}

{_SECRETS}

## Rules

The apiserver refuses what breaks one of these, in these words.

{_list(rules)}

## status

Written by the operator. The conditions are explained in [conditions.md](conditions.md).

{_table(status)}
{_selectors(version)}"""


def _selectors(version: Json) -> str:
    paths = [f"`{field['jsonPath'].removeprefix('.')}`" for field in version.get("selectableFields", ())]
    return f"\n## Field selectors\n\n`--field-selector` takes {', '.join(paths)}.\n" if paths else ""


def conditions_page() -> str:
    """Write the page of the conditions and the closed list of reasons."""
    types = [f"| `{kind}` | {kind.meaning} |" for kind in ConditionType]
    reasons = [f"| `{reason}` | {reason.meaning} | {reason.remedy} |" for reason in Reason]
    return "\n".join(
        [
            "# Conditions and reasons\n",
            "Ready and Synced are always there, AccessSynced with spec.acl, the others only while they are true.\n",
            *("| condition | meaning |", "|---|---|", *types, ""),
            "A condition gives one of these reasons and no other; its message names the field, object or answer.\n",
            *("| reason | meaning | what to do |", "|---|---|---|", *reasons, ""),
        ]
    )


def _fields(node: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Walk through a schema: path and schema of each field, with whether its parent requires it."""
    if path:
        yield path, node
    if "secretKeyRef" in node.get("properties", {}):
        return
    inner, suffix = node, ""
    if "items" in node:
        inner, suffix = node["items"], "[]"
    elif isinstance(node.get("additionalProperties"), dict):
        inner, suffix = node["additionalProperties"], ".*"
    for name, part in inner.get("properties", {}).items():
        required = name in inner.get("required", ())
        yield from _fields(part | {"needed": required}, f"{path}{suffix}.{name}".removeprefix("."))


def _table(fields: list[tuple[str, Json]]) -> str:
    rows = [f"| `{path}` | {_type(node)} | {_default(node)} | {node['description']} |" for path, node in fields]
    return "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])


def _default(node: Json) -> str:
    default = node.get("default")
    if default is None or isinstance(default, dict | list) or default == "":
        return "**required**" if node["needed"] else ""
    return f"`{_yaml(default)}`"


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(node: Json) -> str:
    if "secretKeyRef" in node.get("properties", {}):
        return "Secret"
    if "enum" in node:
        return ", ".join(f"`{_yaml(value)}`" for value in node["enum"])
    if "items" in node:
        return f"list of {_type(node['items'])}s"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}s"
    return "time" if node.get("format") == "date-time" else str(node["type"])


def _rules(node: Json, path: str) -> Iterator[str]:
    for rule in node.get(VALIDATIONS, ()):
        yield f"`{path or 'spec'}`: {rule['message']}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
