"""The platform's API, typed: one method per operation that the embedded platform serves, too, one request per call.

This is the library of this project, for programs of users and for its own commands as much as for the operator, which
itself asks for image sources and jobs alone. A method sends its request once, and its caller decides about a second
time: ``NotSent`` was never applied, nor does a read do harm; a write that is ``Unanswered`` needs a look at what became
of it first; and nothing is sent before ``retry_after``. What all calls have in common, and why none of them is retried
here, stands in ``imagesources.platform.calls``.
"""

from imagesources.platform.calls import MAX_PAGES, PAGE_SIZE, BeforeCall, Order
from imagesources.platform.hosts import HostPolicy
from imagesources.platform.images import ImageCalls
from imagesources.platform.integrations import IntegrationCalls
from imagesources.platform.jobs import JobCalls
from imagesources.platform.notifications import NotificationCalls
from imagesources.platform.roles import RoleCalls
from imagesources.platform.sources import Listing, SourceCalls
from imagesources.platform.transport import Connection, Limits, OnCall

__all__ = [
    "MAX_PAGES",
    "PAGE_SIZE",
    "BeforeCall",
    "Connection",
    "HostPolicy",
    "Limits",
    "Listing",
    "OnCall",
    "Order",
    "PlatformClient",
]


class PlatformClient(SourceCalls, JobCalls, ImageCalls, IntegrationCalls, RoleCalls, NotificationCalls):
    """The operations of one hub; creating it does no I/O. Its arguments are those of ``Calls``."""
