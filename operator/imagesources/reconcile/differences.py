"""What differs between what is wanted and what the platform has. Pure.

Only leaves that the spec names count. A credential is never compared, and where the platform leaves out a whole
object that holds one, nothing can be said about it: it may mask what it has.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from imagesources.platform.models import Acl, Source
from imagesources.reconcile.desired import secrets_of
from imagesources.reconcile.model import Access, FromSecret, Wanted

Difference = tuple[str, Any, Any]
"""Path, wanted, observed."""


def differences(wanted: Wanted, source: Source) -> tuple[Difference, ...]:
    """Compare the managed fields, the access list aside."""
    observed = source.model_dump(mode="json", include=set(wanted.fields)) | {"origin": source.origin}
    return tuple(_compare(dict(wanted.fields), observed, ""))


def changes(wanted: Wanted, source: Source, *, new_secrets: bool) -> dict[str, Any]:
    """Tell what a PATCH must say: each differing top-level property as a whole, and nothing else."""
    differing = {path.split(".")[0].split("[")[0] for path, _, _ in differences(wanted, source)}
    if new_secrets:
        differing.add("origin")
    changed = {key: value for key, value in wanted.fields.items() if key in differing}
    return changed | {key: value for key, value in wanted.cleared.items() if not _is_clear(key, source)}


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


def _is_clear(key: str, source: Source) -> bool:
    if key == "builder":
        return source.builder is None or source.builder.integration_id is None
    return source.about is None or source.about.description is None


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
                yield path, f"{len(wanted)} entries", f"{len(observed or ())} entries"
                return
            for index, (part, seen) in enumerate(zip(wanted, observed, strict=True)):
                yield from _compare(part, seen, f"{path}[{index}]")
        case _ if not _same(path, wanted, observed):
            yield path, wanted, observed


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
