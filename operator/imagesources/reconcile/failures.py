"""Stage 5: what a failed call means. A pure table."""

from functools import cache
from itertools import takewhile

from imagesources.hubs.trouble import trouble_of
from imagesources.platform.errors import PlatformError, Refused, Unanswered
from imagesources.reconcile.model import Create, Problem, Step, Verdict, problem_of
from imagesources.resources.conditions import Reason
from imagesources.resources.imagesource import ImageSourceSpec

_MAYBE_OUR_OWN = {"409.duplicate-found", "422.already-exists"}


def judge(error: PlatformError, step: Step, url: str, *, of_another: bool = False) -> Verdict:
    """Tell what a failed call of a step means.

    Args:
        error: the failure.
        step: what was being done.
        url: the platform's, for messages.
        of_another: our own source is there: if one is missing, it is one that the request names.
    """
    if trouble := trouble_of(error, url):
        return Verdict(problem_of(trouble))
    creating = isinstance(step, Create)
    match error:
        case Unanswered() if creating:
            return _unknown(f"a create was sent and not answered ({error.message}); its outcome is being found out")
        case Unanswered():
            message = f"{url} does not answer usably ({error.message}); the operator keeps trying"
            return Verdict(Problem(Reason.PLATFORM_UNREACHABLE, message))
        case Refused(code=code) if creating and code in _MAYBE_OUR_OWN:
            return _unknown(f"the platform says that the source exists ({code}); it may be ours and is looked for")
        case Refused():
            return _refused(error, creating=creating or of_another)
    return Verdict(Problem(Reason.PLATFORM_UNREACHABLE, str(error)))


def _unknown(message: str) -> Verdict:
    return Verdict(Problem(Reason.OUTCOME_UNKNOWN, message), unknown=True)


def _refused(error: Refused, *, creating: bool) -> Verdict:
    if error.code == "404.image.source" and not creating:
        return Verdict(Problem(Reason.SOURCE_GONE, "the platform has no such source"), gone=True)
    if error.status == 429:
        message = "the platform asks to wait; nothing to do"
        return Verdict(Problem(Reason.RATE_LIMITED, message), retry_in=error.retry_after)
    if error.code == "403.permissions" and not error.capability and not creating:
        message = "the source's access list does not let the operator in; someone who may must change it"
        return Verdict(Problem(Reason.ACCESS_LOST, message))
    if error.status == 403:
        lacks = f"the capability {error.capability}" if error.capability else "a privilege for this source"
        message = f"the API key lacks {lacks} for {error.operation} ({error.code}); grant it"
        return Verdict(Problem(Reason.FORBIDDEN, message))
    at = f" at {spec_path(error.source)}" if error.source else ""
    message = f"the platform refuses {error.operation}{at} ({error.code}); correct the spec"
    return Verdict(Problem(Reason.REFUSED, message, permanent=True))


def spec_path(pointer: str) -> str:
    """Turn a JSON pointer (RFC 6901) into a request body into the path of the field in spec.

    It ends where the fields of spec do: the rest would be the platform's own words, which may hold what it was sent.
    """
    parts = (_camel(part) for part in pointer.strip("#/").split("/") if part)
    return ".".join(["spec", *takewhile(lambda part: part.isdecimal() or part in _fields(), parts)])


@cache
def _fields() -> frozenset[str]:
    """List the names of all fields of spec, and of what those that read from a Secret are called in the API."""
    schema = ImageSourceSpec.model_json_schema()
    names = {name for part in (schema, *schema["$defs"].values()) for name in part.get("properties", ())}
    return frozenset(names | {name.removesuffix("From") for name in names})


def _camel(word: str) -> str:
    first, *rest = word.split("_")
    return first + "".join(part.capitalize() for part in rest)
