"""What one kill plan has for itself: a namespace, a hub of the platform, two proxies, one operator after another."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.apiserver import Api, Resources
from tests.support.forked import ForkedOperator
from tests.support.platform import SOURCES, Platform
from tests.support.process import answers
from tests.support.proxy import Call, Fault, Proxy, apiserver_proxy, behind
from tests.support.scene import is_list, source
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, free_ports

Json = dict[str, Any]

SETTLE, LATE = 0.2, 2.0
"""Seconds for the operator's hidden flags; what a plan keeps back arrives well within the second."""

POLL = 0.2
"""Seconds between two looks at everything: many plans look at a time."""

_UID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PASSING = {
    *("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "lastTransitionTime", "changed"),
    *("created", "updated", "deleted", "queued", "started", "finished", "managedFields", "creator"),
}
"""Members of resources and sources that no two runs have in common."""


@dataclass(frozen=True)
class World:
    """What all plans share.

    Attributes:
        hubs: hubs of the platform that no plan has used yet.
    """

    cluster: Cluster
    api: Api
    platform: Platform
    hubs: Iterator[str]
    folder: Path


@dataclass
class Stage:
    """One plan's part of the world.

    Attributes:
        calls: the proxy between operator and platform.
        kube: the proxy between operator and apiserver.
        ids: the sources that there were before anything happened, in their order.
    """

    resources: Resources
    platform: Platform
    calls: Proxy
    kube: Proxy
    log: Path
    flags: tuple[str, ...]
    ids: list[str] = field(default_factory=list)
    operator: ForkedOperator | None = None

    def start(self, *, ready: bool = True) -> None:
        """Starts an operator, and waits until it has seen everything, unless told otherwise."""
        address = f"127.0.0.1:{free_ports(1)[0]}"
        self.operator = ForkedOperator(self.log, *self.flags, "--listen", address)
        if ready:
            wait_for(lambda: self._is_ready(address), timeout=120, what=f"the operator to be ready; see {self.log}")

    def _is_ready(self, address: str) -> bool:
        assert self.operator and self.operator.wait(0) is None, f"the operator has ended; its log: {self.log}"
        return answers(address, "/readyz")

    def kill(self) -> None:
        """Ends the operator; from any thread."""
        assert self.operator
        self.operator.kill()

    def is_killed(self) -> bool:
        """Whether it was ended by SIGKILL."""
        return self.operator is not None and self.operator.wait(0) == -signal.SIGKILL

    def end(self) -> None:
        """Ends the operator, if one runs."""
        if self.operator and self.operator.wait(0) is None:
            self.operator.kill()
            assert self.operator.wait(20) is not None

    def obey(self, rule: Callable[[Proxy, Call], Fault | None] | None) -> None:
        """Lets a rule judge the requests of both proxies."""
        for proxy in (self.calls, self.kube):
            proxy.rule = (lambda call, proxy=proxy: rule(proxy, call)) if rule else None

    def create(self, name: str = "web", /, **spec: Any) -> None:
        """Creates an ImageSource."""
        self.resources.create(source(name, **spec))

    def edit(self, name: str = "web", /, **spec: Any) -> None:
        """Changes the spec of an ImageSource."""
        self.resources.patch(name, {"spec": spec})

    def others(self, method: str, path: str = "", body: Json | None = None) -> Any:
        """What other hands do to the platform's sources."""
        return self.platform(method, f"{SOURCES}{path}", body)

    def settle(self) -> None:
        """Waits until all that is wanted is done and all that is there seen, and remembers the sources of then."""
        wait_for(self.is_settled, what=f"everything to be in order; see {self.log}", every=POLL)
        self.pass_inventories(1)
        self.ids = [each["id"] for each in self.platform.sources()]

    def is_settled(self) -> bool:
        """Whether the operator has finished with each resource: it is as wanted, or will not be without a change."""
        return all(map(_is_settled, self.resources.all().values()))

    def writes(self) -> int:
        """How many writes there were, to the platform and to ImageSources."""
        return sum(call.is_write and "/events" not in call.path for call in [*self.calls.calls, *self.kube.calls])

    def pass_inventories(self, number: int = 2) -> None:
        """Waits until so many further lists of the hub were asked for and taken in."""
        begun = self._inventories()
        wait_for(lambda: self._inventories() > begun + number, what=f"further inventories; see {self.log}", every=POLL)

    def _inventories(self) -> int:
        return sum(map(is_list, list(self.calls.calls)))

    def outcome(self) -> str:
        """All that there is, on both sides, with what differs from run to run replaced or left out."""
        sources = self.platform.sources()
        names = {each: f"before-{number}" for number, each in enumerate(self.ids)}
        new = [each["id"] for each in sources if each["id"] not in names]
        names |= {each: f"new-{number}" for number, each in enumerate(new)}
        resources = self.resources.all()
        names |= {body["metadata"]["uid"]: f"uid-of-{name}" for name, body in resources.items()}
        names |= {self.platform.hub_id: "the-hub", self.calls.url: "the-url", self.resources.namespace: "the-namespace"}
        text = json.dumps(_lasting([resources, sources]), indent=1, sort_keys=True)
        return re.sub("|".join([*map(re.escape, names), _UID]), lambda found: names.get(found[0], "a-uid"), text)


def _is_settled(body: Json) -> bool:
    if "deletionTimestamp" in body["metadata"]:
        return False
    status, at = body.get("status", {}), body["metadata"]["generation"]
    true = {
        each["type"]: each["observedGeneration"] for each in status.get("conditions", ()) if each["status"] == "True"
    }
    return bool(at in (true.get("Ready"), true.get("Stalled")) and status["observedGeneration"] == at)


def _lasting(value: Any) -> Any:
    match value:
        case dict():
            return {key: _lasting(part) for key, part in value.items() if key not in _PASSING}
        case list():
            return [_lasting(part) for part in value]
    return value


@contextmanager
def stage(world: World, name: str) -> Iterator[Stage]:
    """Makes a plan's part of the world; the operator is not started."""
    hub = next(world.hubs)
    platform = world.platform.of_hub(hub)
    folder = world.folder / name
    folder.mkdir()
    namespace = f"kill-{int(hub, 16)}"  # a name may be too long for one
    with ExitStack() as stack:
        calls = stack.enter_context(Proxy(platform.url))
        kube = stack.enter_context(apiserver_proxy(world.cluster))
        kubeconfig = behind(kube, world.cluster, folder).operator_kubeconfig
        flags = (
            *("--namespace", namespace, "--kubeconfig", str(kubeconfig), "--allow-http", "--debug"),
            *("--allow-host", calls.url.removeprefix("http://")),
            *(f"--settle-time={SETTLE}", f"--late-arrival={LATE}"),
        )
        made = Stage(world.api.within(namespace), platform, calls, kube, folder / "operator.log", flags)
        stack.callback(made.end)
        for body in platform.hub(calls.url, inventoryInterval="300ms"):
            made.resources.create(body)
        yield made
