"""What can go wrong, and where: every kind of fault at every request that an operator makes."""

from enum import StrEnum


class Site(StrEnum):
    """A request of an operator, by what it is for; or what comes to an operator by itself."""

    CREATE = "create"
    NAME = "finish create"
    CONTENT = "update"
    ACCESS = "update access"
    DELETE = "delete"
    DELETE_EXTRA = "delete extra"

    LOOK = "look"
    JOB = "look at job"
    FIND = "find marker"
    INVENTORY = "inventory"

    INTENT = "intent"
    SAVE_ID = "save id"
    STATUS = "status"
    JOB_STATUS = "status of job"
    RELEASE = "release"
    HUB_STATUS = "status of hub"
    HUB_FINALIZER = "finalizer of hub"

    LIST = "list"
    REREAD = "read again"
    SECRET = "read secret"

    WATCH = "watch"
    JOB_END = "end of job"


class Fault(StrEnum):
    """What can go wrong with one request."""

    NONE = "none"
    CRASH_BEFORE = "crash before it is sent"
    CRASH_DURING = "crash while it is under way"
    CRASH_AFTER = "crash after it was applied"
    NOT_SENT = "not sent"
    LOST = "lost on the way"
    REPLY_LOST = "applied, reply lost"
    LATE = "timed out, applied later"
    DUPLICATED = "applied, and again later"
    SERVER_ERROR = "server error, not applied"
    SERVER_ERROR_APPLIED = "server error, applied"
    LIMITED = "429"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NO_HUB = "404 for the hub"
    NO_PAGE = "404 without an envelope"
    CONFLICT = "409"
    DUPLICATE_FOUND = "409, it exists"
    UNPROCESSABLE = "422"
    NO_JOB = "404 for the job"
    STALE = "an old state"
    EMPTY = "a list without what there is"
    GAP = "410, events lost"
    LAG = "late event"
    REPEATED = "event repeated"
    JOB_FAILS = "the job fails"
    JOB_LIES = "the job completes and nothing was done"
    JOB_VANISHES = "the job vanishes"


_CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_DURING, Fault.CRASH_AFTER)
_REFUSALS = (Fault.LIMITED, Fault.UNAUTHORIZED, Fault.FORBIDDEN, Fault.NO_HUB, Fault.NO_PAGE)
_PLATFORM_WRITE = (
    *_CRASHES, Fault.NOT_SENT, Fault.LOST, Fault.REPLY_LOST, Fault.LATE, Fault.DUPLICATED, Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_APPLIED, *_REFUSALS, Fault.CONFLICT,
)  # fmt: skip
_PLATFORM_READ = (Fault.CRASH_BEFORE, Fault.NOT_SENT, Fault.LOST, Fault.SERVER_ERROR, *_REFUSALS)
_KUBERNETES_WRITE = (
    *_CRASHES, Fault.NOT_SENT, Fault.LOST, Fault.REPLY_LOST, Fault.LATE, Fault.DUPLICATED, Fault.SERVER_ERROR,
    Fault.LIMITED, Fault.CONFLICT,
)  # fmt: skip
_KUBERNETES_READ = (Fault.CRASH_BEFORE, Fault.LOST, Fault.SERVER_ERROR, Fault.LIMITED, Fault.STALE)

FAULTS: dict[Site, tuple[Fault, ...]] = {
    Site.CREATE: (*_PLATFORM_WRITE, Fault.DUPLICATE_FOUND, Fault.UNPROCESSABLE),
    Site.NAME: _PLATFORM_WRITE,
    Site.CONTENT: (*_PLATFORM_WRITE, Fault.UNPROCESSABLE),
    Site.ACCESS: (*_PLATFORM_WRITE, Fault.UNPROCESSABLE),
    Site.DELETE: _PLATFORM_WRITE,
    Site.DELETE_EXTRA: _PLATFORM_WRITE,
    Site.LOOK: _PLATFORM_READ,
    Site.JOB: (*_PLATFORM_READ, Fault.NO_JOB),
    Site.FIND: (*_PLATFORM_READ, Fault.STALE, Fault.EMPTY),
    Site.INVENTORY: (*_PLATFORM_READ, Fault.STALE, Fault.EMPTY),
    Site.INTENT: _KUBERNETES_WRITE,
    Site.SAVE_ID: _KUBERNETES_WRITE,
    Site.STATUS: _KUBERNETES_WRITE,
    Site.JOB_STATUS: _KUBERNETES_WRITE,
    Site.RELEASE: _KUBERNETES_WRITE,
    Site.HUB_STATUS: _KUBERNETES_WRITE,
    Site.HUB_FINALIZER: _KUBERNETES_WRITE,
    Site.LIST: _KUBERNETES_READ,
    Site.REREAD: _KUBERNETES_READ,
    Site.SECRET: _KUBERNETES_READ,
    Site.WATCH: (Fault.GAP, Fault.LAG, Fault.REPEATED),
    Site.JOB_END: (Fault.JOB_FAILS, Fault.JOB_LIES, Fault.JOB_VANISHES),
}
"""The faults of each site."""

UNANSWERED = frozenset({
    *_CRASHES, Fault.LOST, Fault.REPLY_LOST, Fault.LATE, Fault.DUPLICATED, Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_APPLIED, Fault.NO_PAGE, Fault.DUPLICATE_FOUND,
})  # fmt: skip
"""After these the sender does not know whether its request was applied, or how often it will be."""
