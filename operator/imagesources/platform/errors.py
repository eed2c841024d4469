"""Every way in which a call to the platform can end badly.

::

    PlatformError
    ├── NotSent         the request never reached the platform: nothing was applied
    ├── Unanswered      it was sent, no usable answer came back: it may have been applied
    └── Refused         the platform answered with its error envelope

Messages are built from our own words, codes and numbers, never from a request, a body or a header: they end up in
status, events and logs, and none of these may carry a secret.
"""


class PlatformError(Exception):
    """A call to the platform failed; ``str()`` is safe to show.

    Attributes:
        operation: the OpenAPI operation id, such as ``createImageSource``.
        code: one word for counting: the platform's code, ``not-sent`` or ``unanswered``.
        retry_after: seconds that the platform asks us to wait, where it does.
    """

    code: str

    def __init__(self, operation: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation
        self.message = message
        self.retry_after = retry_after


class NotSent(PlatformError):
    """No connection was made (refused, DNS, TLS, address not allowed): definitely not applied."""

    code = "not-sent"


class Unanswered(PlatformError):
    """The request was sent; the answer is missing, broken or a server error: it may have been applied."""

    code = "unanswered"


class Refused(PlatformError):
    """The platform answered with its error envelope (schema ``ErrorEnvelope``, or the OAuth shape for 401).

    Attributes:
        status: the HTTP status.
        code: the platform's code, such as ``404.image.source``; ``<status>.unknown`` where it gave none.
        source: the JSON pointer (RFC 6901) of what was wrong with the request, or ``""``.
        capability: the capability that the key lacks (403), or ``""``.
    """

    def __init__(
        self,
        operation: str,
        *,
        status: int,
        code: str,
        source: str = "",
        capability: str = "",
        retry_after: float | None = None,
    ) -> None:
        about = f" at {source}" if source else ""
        lacks = f", the key lacks {capability}" if capability else ""
        super().__init__(operation, f"{code}{about}{lacks}", retry_after=retry_after)
        self.status = status
        self.code = code
        self.source = source
        self.capability = capability
