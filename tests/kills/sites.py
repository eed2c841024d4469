"""What a write is called, and the end of an operator at one of them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.support.proxy import DROPPED, HANGING, Call, Fault, Proxy

from imagesources.resources import FINALIZER


class Moment(StrEnum):
    """When the operator is killed, as seen from one of its writes."""

    BEFORE = "before"
    """The write never arrives."""

    DURING = "during"
    """The write is under way; it arrives when another operator is at work."""

    LOST = "lost"
    """The write is served, and its answer lost."""

    AFTER = "after"
    """The write is served, its answer has arrived, and the operator gets no further."""


def site_of(call: Call, kept: list[str]) -> str | None:
    """Names a write to the platform or to an ImageSource; None: it is another request.

    Args:
        call: the request.
        kept: ids of the sources that are not to be deleted; another one's DELETE is the audit's.
    """
    if not call.is_write or "/events" in call.path or "/hubs/" in call.path:
        return None
    path = call.path.partition("?")[0]
    if "/imagesources/" in path:
        return _kubernetes_site(path, call.json)
    if call.method == "DELETE":
        return "audit DELETE" if kept and path.rpartition("/")[2] not in kept else "DELETE"
    if path.endswith("/access"):
        return "access"
    if call.method == "POST":
        return "POST"
    return "identifier" if call.json.keys() == {"identifier"} else "content"


def _kubernetes_site(path: str, body: dict[str, dict[str, object]]) -> str:
    if not path.endswith("/status"):
        finalizers = body["metadata"].get("finalizers")
        return "intent" if isinstance(finalizers, list) and FINALIZER in finalizers else "release"
    if "id" in body["status"]:
        return "id" if body["status"]["id"] else "forget id"
    return "job" if "job" in body["status"] else "status"


@dataclass
class Killer:
    """Ends an operator at its n-th write; a rule for both of its proxies.

    Attributes:
        kill: ends the operator.
        at: which write, from 0; None: it only counts.
        moment: when.
        kept: see ``site_of``.
        sites: the writes so far.
        struck: the write at which it killed, and the proxy that it came through.
    """

    kill: Callable[[], None]
    at: int | None
    moment: Moment = Moment.BEFORE
    kept: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    struck: tuple[Proxy, Call] | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, proxy: Proxy, call: Call) -> Fault | None:
        """Judges one request; from the kill on nothing passes any more."""
        with self._turn:
            if self.struck:
                return HANGING
            site = site_of(call, self.kept)
            if site is None:
                return None
            self.sites.append(site)
            if self.at is None or len(self.sites) <= self.at:
                return None
            self.struck = (proxy, call)
        if self.moment is Moment.LOST:
            return Fault(then=self.kill, reset=True)
        if self.moment is Moment.AFTER:
            return Fault(afterwards=self.kill)
        self.kill()
        return DROPPED

    @property
    def site(self) -> str:
        """The last write that it saw: the one at which it killed."""
        return self.sites[-1]

    def check(self) -> None:
        """Asserts that it killed, and that the write was served or not, as the moment says."""
        assert self.struck, f"never killed; the writes were {self.sites}"
        proxy, call = self.struck
        answers = [status for served, status in proxy.served if served is call]
        if self.moment in {Moment.LOST, Moment.AFTER}:
            assert len(answers) == 1 and answers[0] < 300, f"the write was not served: {answers}"
        else:
            assert answers == [], f"the write was served: {answers}"

    def deliver(self) -> None:
        """Lets the write arrive that was under way; by now it may be refused."""
        assert self.struck
        proxy, call = self.struck
        proxy.deliver(call)
