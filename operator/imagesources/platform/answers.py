"""What an HTTP answer means: the document asked for, a refusal, or nothing that can be relied on.

Pure: a status, a few headers and a body go in; a document comes out, or a ``PlatformError`` is raised. Only codes,
capabilities and names of properties that are described get into an exception, so that a hostile platform cannot make
the operator publish what it was sent, or what it makes up.
"""

import re
import time
import zlib
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import from_json

from imagesources.platform.capabilities import CAPABILITIES
from imagesources.platform.codes import DESCRIBED
from imagesources.platform.errors import PlatformError, Refused, Unanswered
from imagesources.platform.models import Json
from imagesources.platform.pointers import known_part

MAX_RETRY_AFTER = 3600.0
"""Seconds; a platform that asks for more is asked again after that."""

_SECONDS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer as it came, its body no longer than ``limit`` bytes.

    Attributes:
        limit: bytes that the body may have, also once it is decompressed.
    """

    status: int
    content_type: str
    content_encoding: str
    retry_after: str
    body: bytes = field(repr=False)
    limit: int


def read(operation: str, answer: Answer) -> Json:
    """Returns the document of a 2xx answer.

    Raises:
        Refused: a 4xx with the platform's error envelope, or the OAuth shape with 401.
        Unanswered: anything else.
    """
    document = _document(answer)
    if not 200 <= answer.status < 300:
        raise _failure(operation, answer, document or {})
    if document is None:
        raise Unanswered(operation, f"HTTP {answer.status} whose body is no JSON object within the limits")
    return document


def _document(answer: Answer) -> Json | None:
    """Returns the JSON object of the body; None where there is none, or it is too big or nested too deeply."""
    media = answer.content_type.lower()
    body = _plain(answer)
    if body is None or not (media == "application/json" or media.endswith("+json")):
        return None
    try:
        document = from_json(body, allow_inf_nan=False)  # refuses more than 200 levels
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _plain(answer: Answer) -> bytes | None:
    encoding = answer.content_encoding.lower()
    if encoding in ("", "identity"):
        return answer.body
    if encoding != "gzip":
        return None
    gzip = zlib.decompressobj(wbits=31)
    try:
        body = gzip.decompress(answer.body, answer.limit)
    except zlib.error:
        return None
    return body if gzip.eof else None


def _failure(operation: str, answer: Answer, document: Json) -> PlatformError:
    status, wait = answer.status, retry_after(answer.retry_after)
    error = document.get("error")
    code = _code(status, error)
    if not 400 <= status < 500:
        kind = "a redirect, which is never followed" if 300 <= status < 400 else code
        return Unanswered(operation, f"HTTP {status}, {kind}" if kind else f"HTTP {status}", retry_after=wait)
    if not code:
        return Unanswered(operation, f"HTTP {status} without the error envelope", retry_after=wait)
    details = error if isinstance(error, dict) else {}
    extra = details.get("extra")
    capability = str(extra.get("capability")) if isinstance(extra, dict) else ""
    return Refused(
        operation,
        status=status,
        code=code,
        source=known_part(details.get("source")),
        capability=capability if capability in CAPABILITIES else "",
        retry_after=wait,
    )


def _code(status: int, error: Any) -> str:  # noqa: ANN401 - any JSON
    """Returns the code of an error, or "" where the answer cannot be taken for the platform's word.

    A code that is missing, not described, or belongs to another status is unknown: whoever made it up would write into
    status and logs. A server error dressed as a refusal is no refusal.
    """
    if status == 401 and isinstance(error, str):
        return "401.auth-invalid"  # the OAuth shape (schema Error) has codes of its own
    if not isinstance(error, dict):
        return ""
    code = str(error.get("code"))
    if code in DESCRIBED and code.startswith(f"{status}."):
        return code
    return "" if code.startswith("5") else f"{status}.unknown"


def retry_after(header: str) -> float | None:
    """Returns the seconds that a Retry-After header asks for, from 0 to ``MAX_RETRY_AFTER``; None if it says nothing.

    Args:
        header: seconds or an HTTP-date (RFC 9110, section 10.2.3), or "".
    """
    text = header.strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
