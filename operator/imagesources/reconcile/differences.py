"""What differs between what is wanted and what the platform has. Pure.

Only leaves that the spec names count. A credential is never compared, and where the platform leaves out a whole
object that holds one, nothing can be said about it: it may mask what it has.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from datetime import datetime
from typing import Any

from imagesources.platform.models import Acl, Source
from imagesources.reconcile.desired import secrets_of
from imagesources.reconcile.model import Access, Difference, FromSecret, Wanted
from imagesources.resources.conditions import counted

_EMPTIED = {"builder": "integration_id", "about": "description"}
"""What of a field is empty once the field is cleared."""


def differences(wanted: Wanted, source: Source) -> tuple[Difference, ...]:
    """Tell all that differs: managed fields, fields that are to be cleared, and the access list."""
    observed = source.model_dump(mode="json", include={*wanted.fields, *wanted.cleared}) | {"origin": source.origin}
    found = [*_compare(dict(wanted.fields), observed, ""), *_uncleared(wanted.cleared, observed)]
    if access_differs(wanted.access, source):
        found.append(("acl", wanted.access, source.acl))
    return tuple(found)


def changes(wanted: Wanted, source: Source, *, new_secrets: bool) -> dict[str, Any]:
    """Tell what a PATCH must say: each differing top-level property as a whole, and nothing else."""
    differing = {path.split(".")[0].split("[")[0] for path, _, _ in differences(wanted, source)}
    if new_secrets:
        differing.add("origin")
    return {key: value for key, value in {**wanted.fields, **wanted.cleared}.items() if key in differing}


def camel_path(path: str) -> str:
    """Write a path as spec has it: ``origin.details.build_file`` gives ``origin.details.buildFile``."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), path)


def access_differs(access: Access | None, source: Source) -> bool:
    """Tell whether the access list must be written; one that is not managed never differs."""
    return access is not None and access.acl != source.acl


def only_widens(old: Acl | None, new: Acl | None) -> bool:
    """Tell whether everybody keeps what they may do; None is no restriction, the widest list of all."""
    if new is None:
        return True
    if old is None:
        return False
    return all(
        (role in new.roles or not any(had.values()))
        and all(new.roles[role].model_dump()[what] or not may for what, may in had.items() if role in new.roles)
        for role, entry in old.roles.items()
        for had in [entry.model_dump()]
    )


def _uncleared(cleared: Iterable[str], observed: Mapping[str, Any]) -> Iterator[Difference]:
    for key in cleared:
        leaf = _EMPTIED[key]
        if (seen := (observed[key] or {}).get(leaf)) is not None:
            yield f"{key}.{leaf}", None, seen


def _compare(wanted: Any, observed: Any, path: str) -> Iterator[Difference]:  # noqa: ANN401 - any JSON
    match wanted:
        case FromSecret():
            return
        case Mapping():
            if observed is None and secrets_of(wanted):
                return
            parts = observed if isinstance(observed, Mapping) else {}
            for key, part in wanted.items():
                yield from _compare(part, parts.get(key), f"{path}.{key}" if path else key)
        case list():
            if observed is None and secrets_of(wanted):
                return
            if not isinstance(observed, list) or len(observed) != len(wanted):
                yield path, _entries(wanted), _entries(observed or ())
                return
            for index, (part, seen) in enumerate(zip(wanted, observed, strict=True)):
                yield from _compare(part, seen, f"{path}[{index}]")
        case _ if not _same(path, wanted, observed):
            yield path, wanted, observed


def _entries(found: Sized) -> str:
    return counted(len(found), "entry", "entries")


def _same(path: str, wanted: object, observed: object) -> bool:
    if wanted == observed:
        return True
    if path == "origin.details.expires":
        return _time(wanted) == _time(observed) is not None
    if path == "builder.integration_id":
        # Hybrid: an id here and an identifier there may mean the same integration, and nothing here tells.
        return isinstance(observed, str) and _is_object_id(str(wanted)) != _is_object_id(observed)
    return wanted == "" and observed is None


def _is_object_id(text: str) -> bool:
    return len(text) == 24 and all(c in "0123456789abcdef" for c in text)


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
