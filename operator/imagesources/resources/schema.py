"""Write a CRD from a resource model: a structural schema, CEL rules, columns.

pydantic's JSON schema has references, titles and nullable unions, none of which a structural schema may have
(Kubernetes documentation, "Specifying a structural schema").
"""

from typing import Any

from imagesources.resources import GROUP, VERSION
from imagesources.resources.base import VALIDATIONS, Model, Resource
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]

KINDS: tuple[type[Resource], ...] = (ImageSource, Hub, ClusterHub)
"""Every kind of ours."""

_KEPT = (
    "type", "format", "enum", "pattern", "default", "minLength", "maxLength", "minimum", "maximum", "minItems",
    "maxItems", "minProperties", "maxProperties",
)  # fmt: skip

_UNPRUNED = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
"""Flux prunes the admission policy that protects the CRDs first; with a CRD all its resources are deleted."""


def crd(kind: type[Resource]) -> Json:
    """Write the CustomResourceDefinition of a kind (``apiextensions.k8s.io/v1``)."""
    name, plural = kind.__name__, kind.plural
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": dict(_UNPRUNED)},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": plural,
                "singular": name.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["cycle"],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: type[Resource]) -> Json:
    columns = [
        {
            "name": title,
            "jsonPath": path,
            "type": "integer" if path.startswith(".status.sources") else "string",
        }
        | ({"priority": priority} if priority else {})
        for title, path, priority in kind.columns
    ]
    age = {"name": "Age", "jsonPath": ".metadata.creationTimestamp", "type": "date"}
    wide = [column for column in columns if "priority" in column]
    version: Json = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [c for c in columns if "priority" not in c] + wide + [age],
        "schema": {"openAPIV3Schema": _root(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return version


def _root(kind: type[Resource]) -> Json:
    root = structural(kind)
    properties = root["properties"]
    properties["metadata"] = {"type": "object"}
    properties["status"]["default"] = {"observedGeneration": -1}
    types = {"type": "string"}
    root["properties"] = {
        "apiVersion": types | {"description": "Version of this schema, images.cycle.io/v1alpha1."},
        "kind": types | {"description": "Kind of this resource."},
    } | properties
    root["required"] = ["spec"]
    return root


def structural(model: type[Model]) -> Json:
    """Write a model as a structural schema."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _Inliner(schema.get("$defs", {}), _models(model)).inline(schema)


def _models(model: type[Model]) -> dict[str, type[Model]]:
    """Find every model that a model is made of, by name."""
    found: dict[str, type[Model]] = {}
    pending = [model]
    while pending:
        current = pending.pop()
        if found.get(current.__name__) is current:
            continue
        if current.__name__ in found:
            raise ValueError(f"two models are called {current.__name__}: {found[current.__name__]} and {current}")
        found[current.__name__] = current
        for field in current.model_fields.values():
            pending.extend(_models_in(field.annotation))
    return found


def _models_in(annotation: object) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return value


def _own(node: Json) -> Json:
    """Write what a node says of itself; where a rule says what a pattern says, the rule says it better."""
    text = {"description": " ".join(node["description"].split())} if "description" in node else {}
    kept = [key for key in _KEPT if node.get(key) is not None and not (key == "pattern" and VALIDATIONS in node)]
    only = {"enum": [node["const"]]} if "const" in node else {}
    return text | {key: _without_nulls(node[key]) for key in kept} | only


class _Inliner:
    """Turns pydantic's schema of one model into a structural one."""

    def __init__(self, definitions: Json, models: dict[str, type[Model]]) -> None:
        self.definitions = definitions
        self.models = models

    def inline(self, node: Json) -> Json:
        node = self._resolve(node)
        model = self.models[node["title"]] if "properties" in node else Model
        out = _own(node) | self._parts(node)
        if rules := node.get(VALIDATIONS) or [dict(rule) for rule in model.rules]:
            out[VALIDATIONS] = rules
        if model.atomic:
            out["x-kubernetes-map-type"] = "atomic"
        if out.get("type") == "array" and {"type", "lastTransitionTime"} <= set(out["items"].get("properties", ())):
            out |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
        return out

    def _parts(self, node: Json) -> Json:
        out = {
            key: self.inline(node[key]) for key in ("additionalProperties", "items") if isinstance(node.get(key), dict)
        }
        if node.get("properties"):
            out["properties"] = {name: self.inline(part) for name, part in node["properties"].items()}
        if node.get("required"):
            out["required"] = node["required"]
        return out

    def _resolve(self, node: Json) -> Json:
        if "anyOf" in node:
            (only,) = [part for part in node["anyOf"] if part.get("type") != "null"]
            return self._resolve(only | {key: node[key] for key in ("description", "default") if key in node})
        if "$ref" in node:
            target = self.definitions[node["$ref"].rsplit("/", 1)[-1]]
            return {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return node
