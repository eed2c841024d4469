"""Stage 1: what a resource asks for, in the API's form. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import alias_generators

from imagesources.platform.identifiers import tokenize
from imagesources.reconcile.model import Access, FromSecret, Json, Problem, Wanted, acl_of
from imagesources.resources import marker
from imagesources.resources.conditions import Reason
from imagesources.resources.imagesource import (
    DeletionPolicy,
    DriftPolicy,
    ImageSource,
    ImageSourceSpec,
    ManagementPolicy,
)

to_snake = cache(alias_generators.to_snake)

IdOf = Callable[[str], str | Problem | None]
"""The platform's id of another ImageSource of the same namespace, by name; None while it has none."""

_CLEARED = {"builder": None, "about": {"description": None}}
"""What the API takes for "none" where it takes anything (updateImageSource)."""


class _UnusableError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def secrets_of(value: object) -> frozenset[str]:
    """Find the names of the Secrets that a body refers to."""
    match value:
        case FromSecret(name=name):
            return frozenset({name})
        case Mapping():
            return frozenset().union(*(secrets_of(part) for part in value.values()))
        case list():
            return frozenset().union(*(secrets_of(part) for part in value))
    return frozenset()


def desire(resource: ImageSource, *, id_of: IdOf, allow_source_ids: bool) -> Wanted | Problem:
    """Tell what a resource asks for.

    Args:
        resource: the resource.
        id_of: finds the sources that the origin names by ``sourceRef``; not asked for the resource itself.
        allow_source_ids: whether the Hub lets origins name sources by id.
    """
    deleting = resource.metadata.deletion_timestamp is not None
    try:
        writer = _Writer(resource.metadata.name, id_of, allow_source_ids=allow_source_ids)
        fields = {} if deleting else _fields(resource.spec, writer)
    except _UnusableError as unusable:
        return unusable.problem
    return _wanted(resource, fields, exists=not deleting)


def _wanted(resource: ImageSource, fields: Mapping[str, Any], *, exists: bool) -> Wanted:
    spec, status, metadata = resource.spec, resource.status, resource.metadata
    adopt = spec.adopt
    name = spec.name or metadata.name
    policy = spec.deletion_policy or (DeletionPolicy.ORPHAN if status.adopted else DeletionPolicy.DELETE)
    return Wanted(
        uid=metadata.uid,
        generation=metadata.generation,
        marker=marker(metadata.uid),
        exists=exists,
        type=spec.type,
        fields=fields,
        defaults={"name": name},
        cleared={k: v for k, v in _CLEARED.items() if k in (status.managed or ()) and k not in fields},
        identifier=spec.identifier or tokenize(name) or metadata.name,
        access=_access(spec),
        secrets=secrets_of(fields),
        observe_only=spec.management_policy is ManagementPolicy.OBSERVE,
        correct_drift=spec.drift_policy is DriftPolicy.CORRECT,
        suspended=spec.suspend,
        orphan=policy is DeletionPolicy.ORPHAN or spec.management_policy is ManagementPolicy.OBSERVE,
        adopt_id=adopt.id if adopt else None,
        adopt_identifier=adopt.identifier if adopt else None,
        never_adopt=bool(adopt and adopt.policy),
    )


def _fields(spec: ImageSourceSpec, writer: "_Writer") -> dict[str, Any]:
    """Write the managed properties: only what the spec names, each as a whole."""
    given = spec.to_json()
    fields: dict[str, Any] = {key: given[key] for key in ("name", "identifier") if key in given}
    if spec.origin:
        fields["origin"] = writer.write(given["origin"], "spec.origin")
        if details := _ssh_credentials(fields["origin"]):
            details.setdefault("passphrase", "")  # required by CredentialsSSH, although a key may have none
    for key in ("builder", "about"):
        if key in given:
            fields[key] = {to_snake(name): value for name, value in given[key].items()}
    return fields


def _ssh_credentials(origin: Json) -> Json | None:
    auth = origin.get("details", {}).get("repo", {}).get("auth", {})
    return auth["credentials"] if auth.get("type") == "ssh" else None


def _access(spec: ImageSourceSpec) -> Access | None:
    return Access(acl_of(spec.acl)) if spec.acl else None


class _Writer:
    """Turns a part of spec into the API's form: snake_case, references resolved, credentials as ``FromSecret``."""

    def __init__(self, own_name: str, id_of: IdOf, *, allow_source_ids: bool) -> None:
        self.own_name = own_name
        self.id_of = id_of
        self.allow_source_ids = allow_source_ids

    def write(self, value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
        match value:
            case dict():
                return dict(self._field(key, part, f"{path}.{key}") for key, part in value.items())
            case list():
                return [self.write(part, f"{path}[{index}]") for index, part in enumerate(value)]
        return value

    def _field(self, key: str, value: Any, path: str) -> tuple[str, Any]:  # noqa: ANN401 - any JSON
        if key == "sourceRef":
            return "source_id", self._source_id(value["name"], path)
        if key == "sourceId" and not self.allow_source_ids:
            message = f"{path}: the Hub does not allow sources to be named by id; use sourceRef"
            raise _UnusableError(Problem(Reason.SOURCE_ID_NOT_ALLOWED, message, permanent=True))
        if isinstance(value, dict) and "secretKeyRef" in value:
            name = to_snake(key.removesuffix("From"))
            return name, FromSecret(**value["secretKeyRef"], wanted=name, path=path)
        return to_snake(key), self.write(value, path)

    def _source_id(self, name: str, path: str) -> str:
        if name == self.own_name:
            message = f"{path}: ImageSource {name} names itself, and so would wait for itself for ever; name another"
            raise _UnusableError(Problem(Reason.SOURCE_REF_MISSING, message, permanent=True))
        found = self.id_of(name)
        if isinstance(found, Problem):
            raise _UnusableError(replace(found, message=f"{path}: {found.message}"))
        if found:
            return found
        message = f"{path}: ImageSource {name} of this namespace has no source on the platform yet; waiting for it"
        raise _UnusableError(Problem(Reason.SOURCE_REF_MISSING, message))
