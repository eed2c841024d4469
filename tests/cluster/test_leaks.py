"""No value of a Secret is shown anywhere, in any form; and runs that differ only in such values show the same."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.canaries import canary, found
from tests.support.origins import ORIGINS
from tests.support.platform import secret
from tests.support.proxy import HANGING, Call, Fault
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, ControlPlane

Json = dict[str, Any]

VARIANTS = {name.replace(" ", "-"): name for name, (details, _) in ORIGINS.items() if "secretKeyRef" in str(details)}
"""The origins with a credential, by the name of a resource."""

CHANGING = (
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID"),
    (r"\b[0-9a-f]{24}\b", "ID"),
    (r"\b\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME"),
    (r"\btest-[0-9a-f]{8}\b", "NAMESPACE"),
    (r"127\.0\.0\.1:\d+", "HOST"),
    (r"\bseconds=[\d.e-]+", "SECONDS"),
    (r"\"(resourceVersion|generation|observedGeneration)\": \"?\d+\"?", "VERSION"),
)
"""What differs from run to run by itself."""


def origin(variant: str) -> Json:
    """An origin, its addresses from a key of their own, without what would have to exist."""
    details = json.loads(json.dumps(ORIGINS[variant][0]))
    details.pop("existing", None)
    _use_address(details)
    return {"type": variant.partition(" ")[0], "details": details}


def _use_address(value: Any) -> None:
    for key, part in (
        list(value.items()) if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        if key in ("urlFrom", "targzUrlFrom"):
            value[key] = {"secretKeyRef": {"name": "login", "key": "address"}}
        else:
            _use_address(part)


def login(token: str) -> Json:
    """The Secret of all origins, to apply."""
    return secret("login", token=token, address=f"https://user:{token.replace('?', '')}@git.example.com/shop.git")


@contextmanager
def play(cluster: Cluster, folder: Path, token: str) -> Iterator[Scene]:
    """Runs an operator at debug in a namespace with that Secret."""
    with scene(cluster, folder, "--debug") as found:
        found.operator._env["PYTHONFAULTHANDLER"] = "1"
        found.kubectl.apply(login(token))
        found.operator.start()
        yield found


def lives(stage: Scene, token: str) -> None:
    """A life of every variant: refused and lost at first, created, changed, in error, deleted by a job that fails."""
    refused: set[str] = set()

    def fails_at_first(call: Call) -> Fault | None:
        if call.method != "POST" or call.json["name"] in refused:
            return None
        refused.add(call.json["name"])
        error = {"status": 422, "code": "422.invalid-input", "title": token, "detail": token, "source": f"/{token}"}
        answer = {"data": None, "error": error | {"extra": {"capability": token}}}
        return Fault(forward=False, answer=(500 if len(refused) % 2 else 422, answer))

    stage.calls.rule = fails_at_first
    stage.kubectl.apply(*(source(name, origin=origin(variant)) for name, variant in VARIANTS.items()))
    wait_for(lambda: len(refused) == len(VARIANTS), what="all to be refused once")
    for name in VARIANTS:
        stage.edit(name, about={"description": "once more"})
    for name in VARIANTS:
        stage.ready(name)
    stage.calls.rule = lambda call: None if call.is_write else Fault(alter=lambda answer: _in_error(answer, token))
    for name in VARIANTS:
        stage.reason(name, "StateError", "PlatformError")
    stage.calls.rule = None
    stage.kubectl.apply(login(f"{token}~2"))
    wait_for(lambda: _has_all(stage, f"{token}~2"), what="the new value on the platform")
    stage.calls.rule = lambda call: Fault(alter=lambda job: _failed(job, token)) if "/jobs/" in call.path else None
    stage.kubectl("delete", "imagesources", "--all", "--wait=false")
    wait_for(lambda: not stage.kubectl.list("imagesources"), what="all to be gone")


def _in_error(answer: Any, token: str) -> Any:
    data = answer["data"]
    for each in data if isinstance(data, list) else [data]:
        each["state"]["error"] = {"message": f"cannot pull: {token}", "time": "2026-01-01T00:00:00Z"}
    return answer


def _failed(job: Any, token: str) -> Any:
    if job.get("data"):
        for part in (job["data"], *job["data"]["tasks"]):
            part["state"]["error"] = {"message": token, "time": "2026-01-01T00:00:00Z"}
            part["error"] = {"message": token}
    return job


def _has_all(stage: Scene, token: str) -> bool:
    shown = [json.dumps(each["origin"]) for each in stage.platform.sources()]
    return len(shown) == len(VARIANTS) and all(json.dumps(token)[1:-1] in each for each in shown if '"token"' in each)


def shown(stage: Scene) -> dict[str, str]:
    """Everything that the operator has shown, by place."""
    listed = ("imagesources", "hubs", "events.events.k8s.io")
    written = [each.body for resource in ("imagesources", "hubs") for each in stage.writes(resource=resource)]
    return {
        **{kind: stage.kubectl("get", kind, "--output=json", "--show-managed-fields") for kind in listed},
        "writes": json.dumps(written),
        "log": stage.operator.log.read_text(),
        "metrics": stage.operator.metrics(),
    }


def leaks(stage: Scene, *values: str) -> list[tuple[str, list[str]]]:
    """Places and forms in which values are shown."""
    texts = shown(stage)
    return [(place, forms) for place, text in texts.items() for value in values if (forms := found(text, value))]


def test_whole_lives(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Through lives of all origins, with a hostile platform that repeats what it is sent, no credential is shown."""
    token = canary("lives")
    with play(control_plane.cluster, tmp_path, token) as stage:
        lives(stage, token)
        sent = b"".join(call.body for call in stage.calls.calls)
        assert json.dumps(token)[1:-1].encode() in sent
        assert len(stage.writes()) > 4 * len(VARIANTS)
        assert leaks(stage, token, f"{token}~2", "the-key-of-these-tests" * 2) == []
        assert "the-key-of-these-tests" not in "".join(shown(stage).values())
        stage.operator.stop()


def test_crash(control_plane: ControlPlane, tmp_path: Path) -> None:
    """An operator that crashes while it sends a credential leaves a traceback without it."""
    token = canary("crash")
    with play(control_plane.cluster, tmp_path, token) as stage:
        stage.calls.rule = lambda call: HANGING if call.method == "POST" else None
        stage.kubectl.apply(source("hanging", origin=origin("docker-hub")))
        wait_for(lambda: [call for call in stage.calls.calls if call.method == "POST"], what="the create")
        stage.operator.process.send(signal.SIGABRT)
        wait_for(lambda: stage.operator.process.code is not None, what="the crash")
        log = stage.operator.log.read_text()
        assert "Fatal Python error: Aborted" in log
        assert "most recent call first" in log
        assert found(log, token) == []
        stage.calls.rule = None
        stage.operator.start()
        stage.ready("hanging")
        assert leaks(stage, token) == []


def normalised(stage: Scene) -> dict[str, set[str]]:
    """What was shown, without what differs from run to run by itself."""

    def plain(text: str) -> str:
        for pattern, word in CHANGING:
            text = re.sub(pattern, word, text)
        return text

    bodies = stage.kubectl.list("imagesources") + stage.kubectl.list("hubs")
    metrics = [
        line.rpartition(" ")[0] for line in stage.operator.metrics().splitlines() if line.startswith("imagesource")
    ]
    return {
        "resources": {plain(json.dumps(body["status"], sort_keys=True)) for body in bodies},
        "annotations": {plain(json.dumps(body["metadata"].get("annotations"), sort_keys=True)) for body in bodies},
        "events": {plain(" ".join(told)) for name in ("web", "odd") for told in stage.told(name)},
        "log": {plain(line.partition(" ")[2]) for line in stage.operator.log.read_text().splitlines()},
        "metrics": {plain(line) for line in metrics if "_bucket" not in line and 'code="conflict"' not in line},
    }


def _counted(stage: Scene) -> tuple[int, int]:
    counts = stage.kubectl.get("hub", "default")["status"]["sources"]
    return counts["managed"], counts["pinned"]


def test_noninterference(control_plane: ControlPlane, tmp_path: Path) -> None:
    """The same life with other values, of the same length and of another, shows the same."""
    runs = []
    for number, token in enumerate(("first-value", "other-value", "a much longer value " * 40)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with play(control_plane.cluster, folder, token) as stage:
            error = {"status": 422, "code": "422.invalid-input", "title": token, "detail": token, "source": "/name"}
            stage.calls.rule = lambda call, error=error: (
                Fault(forward=False, answer=(422, {"data": None, "error": error}))
                if call.method == "POST" and call.json["name"] == "odd"
                else None
            )
            stage.create("web", origin=origin("docker-hub"))
            stage.kubectl.apply(source("odd", origin=origin("docker-registry")))
            stage.reason("odd", "Refused")
            stage.edit("web", about={"description": "edited"})
            stage.ready("web")
            wait_for(lambda: len(stage.told("odd")) == 1 and len(stage.told("web")) == 2, what="the Events")
            wait_for(lambda: _counted(stage) == (1, 2), what="the Hub to speak of both")
            runs.append(normalised(stage))
            stage.operator.stop()
    for place in runs[0]:
        assert runs[0][place] == runs[1][place] == runs[2][place], place
