"""Everything that a test of the whole operator needs: a namespace, a platform behind a proxy, and the operator."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.support.cluster import Kubectl, Write, Writes, new_namespace
from tests.support.platform import SOURCES, Platform
from tests.support.process import OperatorProcess
from tests.support.proxy import Call, Proxy, apiserver_proxy, behind
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster
from imagesources.resources import API_VERSION

Json = dict[str, Any]

QUICK = ("--settle-time=0.2", "--late-arrival=0.5")
"""Flags of the operator, so that doubts are over soon."""

NGINX = {"type": "docker-hub", "details": {"target": "nginx:1.29"}}


def source(name: str, /, **spec: Any) -> Json:
    """An ImageSource, to apply."""
    spec = {"type": "direct", "origin": NGINX, **spec}
    return {"apiVersion": API_VERSION, "kind": "ImageSource", "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class Condition:
    """What a condition says."""

    status: str
    reason: str
    message: str
    generation: int


@dataclass
class Spent:
    """What something cost: writes to one ImageSource, and requests to the platform other than lists."""

    writes: list[Write] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """The methods of the requests."""
        return [call.method for call in self.calls]


@dataclass(frozen=True)
class Scene:
    """One namespace with its hub.

    Attributes:
        calls: the proxy between operator and platform.
        api: the proxy between operator and apiserver, where there is one.
    """

    kubectl: Kubectl
    writes: Writes
    platform: Platform
    calls: Proxy
    operator: OperatorProcess
    api: Proxy | None = None

    def get(self, name: str) -> Json:
        """An ImageSource as the apiserver holds it."""
        return self.kubectl.get("imagesource", name)

    def status(self, name: str) -> Json:
        """The status of an ImageSource."""
        return dict(self.get(name).get("status", {}))

    def id_of(self, name: str) -> str:
        """The id of its source on the platform."""
        return str(self.status(name)["id"])

    def seen(self, name: str) -> Json:
        """Its source as the platform has it."""
        return self.platform.get(self.id_of(name))

    def condition(self, name: str, kind: str = "Ready", resource: str = "imagesource") -> Condition | None:
        """A condition of an ImageSource, or of another resource."""
        found = self.kubectl.get(resource, name).get("status", {}).get("conditions", [])
        return next((_condition(each) for each in found if each["type"] == kind), None)

    def ready(self, name: str, timeout: float = 60) -> Json:
        """Waits until an ImageSource is Ready at its generation, and returns it."""

        def look() -> Json | None:
            found = self.get(name)
            conditions = {each["type"]: each for each in found.get("status", {}).get("conditions", [])}
            at = found["metadata"]["generation"]
            is_ready = conditions.get("Ready", {})
            settled = is_ready.get("status") == "True" and is_ready["observedGeneration"] == at
            assert settled and found["status"]["observedGeneration"] == at, found.get("status")
            return found

        found = wait_for(look, timeout=timeout, what=f"{name} to be Ready; the operator's log: {self.operator.log}")
        assert found
        return found

    def reason(self, name: str, reason: str, kind: str = "Ready", resource: str = "imagesource") -> Condition:
        """Waits until a condition gives a reason, and returns it."""

        def look() -> Condition | None:
            found = self.condition(name, kind, resource)
            assert found and found.reason == reason, found
            return found

        found = wait_for(look, what=f"{kind} of {name} to be {reason}; the operator's log: {self.operator.log}")
        assert found
        return found

    def has_said(self, name: str, reason: str, kind: str = "Ready", resource: str = "imagesource") -> list[str]:
        """The messages with which a condition has given a reason, however briefly; from the apiserver's audit log."""
        statuses = [each.body.get("status", {}) for each in self.writes(resource=f"{resource}s", name=name)]
        found = [each for status in statuses for each in status.get("conditions", [])]
        return [each["message"] for each in found if (each["type"], each["reason"]) == (kind, reason)]

    def create(self, name: str, /, **spec: Any) -> Json:
        """Applies an ImageSource and waits until it is Ready."""
        self.kubectl.apply(source(name, **spec))
        return self.ready(name)

    def edit(self, name: str, /, **spec: Any) -> None:
        """Changes the spec of an ImageSource by a merge patch."""
        self.kubectl.patch("imagesource", name, {"spec": spec})

    def delete(self, name: str) -> None:
        """Deletes an ImageSource and waits until it is gone."""
        self.kubectl("delete", "imagesource", name, "--timeout=30s")

    @contextmanager
    def spending(self, name: str) -> Iterator[Spent]:
        """Counts what the block costs; no other source may be at work meanwhile."""
        writes, calls = len(self.writes(name=name)), len(self.calls.calls)
        spent = Spent()
        yield spent
        spent.writes = self._settled_writes(name)[writes:]
        spent.calls = [call for call in self.calls.calls[calls:] if not is_list(call)]

    def _settled_writes(self, name: str) -> list[Write]:
        """The writes once nothing is added any more: the audit log follows an answer, or an event, by a moment."""
        found = self.writes(name=name)
        for _ in range(25):
            time.sleep(0.2)
            before, found = found, self.writes(name=name)
            if found and found == before:
                break
        return found

    def told(self, name: str) -> list[tuple[str, str]]:
        """Reason and note of the Events about an ImageSource."""
        events = self.kubectl.list("events.events.k8s.io")
        return [(each["reason"], each["note"]) for each in events if each["regarding"]["name"] == name]


def is_list(call: Call) -> bool:
    """Whether a request to the platform asks for a page of the inventory."""
    return call.method == "GET" and call.path.startswith(f"{SOURCES}?") and "filter" not in call.path


def value(stage: Scene, name: str, /, **labels: str) -> float:
    """The sum of a series over all labels that are not given."""
    found = text_string_to_metric_families(stage.operator.metrics())
    samples = (sample for family in found for sample in family.samples if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def _condition(found: Json) -> Condition:
    return Condition(found["status"], found["reason"], found["message"], found["observedGeneration"])


@contextmanager
def scene(cluster: Cluster, folder: Path, *flags: str, proxied: bool = False, step: float = 0.02) -> Iterator[Scene]:
    """Sets up a namespace with a Hub named default, and the operator, not started yet.

    Args:
        cluster: the control plane.
        folder: for logs and databases.
        flags: of the operator.
        proxied: whether a proxy is put in front of the apiserver too.
        step: seconds that a step of the platform's jobs takes.
    """
    namespace = new_namespace(cluster)
    kubectl = Kubectl(cluster, namespace)
    with ExitStack() as stack:
        platform = stack.enter_context(Platform(folder, f"--step-seconds={step}"))
        calls = stack.enter_context(Proxy(platform.url))
        api = stack.enter_context(apiserver_proxy(cluster)) if proxied else None
        cluster = behind(api, cluster, folder) if api else cluster
        allowed = [f"--allow-host={url.removeprefix('http://')}" for url in (platform.url, calls.url)]
        operator = OperatorProcess(cluster, folder, "--namespace", namespace, *allowed, *QUICK, *flags)
        stack.callback(operator.close)
        kubectl.apply(*platform.hub(calls.url))
        yield Scene(kubectl, Writes(cluster, namespace), platform, calls, operator, api)
