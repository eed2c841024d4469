"""The metrics of a real operator: what happened is counted once, what is the case is told as it is."""

from collections.abc import Callable

from tests.support.proxy import Fault
from tests.support.scene import Scene, source, value
from tests.support.waiting import wait_for

from imagesources.telemetry.reference import exposed, families

HOSTILE = "418.you-are-hacked"


def risen(stage: Scene, name: str, /, **labels: str) -> Callable[[], float]:
    """Tells by how much a series has risen since."""
    before = value(stage, name, **labels)
    return lambda: value(stage, name, **labels) - before


def test_life(stage: Scene) -> None:
    """A source's life is counted: its steps, the requests, the writes, the job; what is there follows."""
    creates = risen(stage, "imagesource_platform_calls_total", operation="createImageSource", code="ok")
    creating = risen(stage, "imagesource_reconcile_total", step="Create", outcome="ok")
    writes = risen(stage, "imagesource_kubernetes_writes_total", resource="imagesources", code="ok")
    durations = risen(stage, "imagesource_reconcile_duration_seconds_count", queue="sources")
    passes = risen(stage, "imagesource_reconcile_total")
    stage.create("counted")
    assert (creates(), creating()) == (1, 1)
    assert writes() >= 3
    ready = {"condition": "Ready", "status": "True", "reason": "InSync"}
    wait_for(lambda: value(stage, "imagesource_resources", **ready) >= 1, what="it to be counted as Ready")
    wait_for(lambda: passes() == durations(), what="each pass to be counted and measured once")
    jobs = risen(stage, "imagesource_jobs_ended_total", state="completed")
    measured = risen(stage, "imagesource_job_duration_seconds_count")
    stage.delete("counted")
    wait_for(lambda: (jobs(), measured()) == (1, 1), what="the job to be counted")
    wait_for(lambda: value(stage, "imagesource_resources_terminating") == 0, what="nothing to be terminating")
    assert value(stage, "imagesource_jobs_running") == 0


def test_hub(stage: Scene) -> None:
    """The hub is told as it is, under its name; at work is one operator; nothing waits."""
    name = f"{stage.kubectl.namespace}/default"
    stage.create("of-hub")
    assert value(stage, "imagesource_hub_up", hub=name) == 1
    assert value(stage, "imagesource_hub_state", hub=name, reason="Reachable") == 1
    assert value(stage, "imagesource_hub_brake_engaged", hub=name) == 0
    assert 0 <= value(stage, "imagesource_hub_inventory_age_seconds", hub=name) < 120
    assert value(stage, "imagesource_hub_budget_left", hub=name) > 0
    wait_for(
        lambda: value(stage, "imagesource_hub_sources", hub=name, state="managed") > 0, what="sources to be counted"
    )
    assert value(stage, "imagesource_leader") == 1
    assert value(stage, "imagesource_build_info") == 1
    wait_for(lambda: value(stage, "imagesource_queue_depth") == 0, what="nothing to wait")
    wait_for(lambda: value(stage, "imagesource_event_loop_lag_seconds_count") > 0, what="the loop to be measured")


def test_drift(stage: Scene) -> None:
    """A change by other hands is counted when it is found, and when it is undone."""
    stage.create("changed", name="Ours")
    found = risen(stage, "imagesource_drift_found_total", kind="content")
    corrected = risen(stage, "imagesource_drift_corrected_total", kind="content")
    stage.platform("PATCH", f"/v1/images/sources/{stage.id_of('changed')}", {"name": "Others"})
    stage.kubectl("annotate", "imagesource", "changed", "images.cycle.io/requestedAt=now")
    wait_for(lambda: (found(), corrected()) == (1, 1), what="the drift to be counted")


def test_a_hostile_platform_names_no_series(stage: Scene) -> None:
    """A code that the description does not know is counted as other, whatever it says."""
    envelope = {"data": None, "error": {"status": 418, "code": HOSTILE, "title": HOSTILE, "detail": HOSTILE}}
    stage.calls.rule = lambda call: Fault(forward=False, answer=(418, envelope)) if call.method == "POST" else None
    refused = risen(stage, "imagesource_platform_calls_total", operation="createImageSource", code="other")
    failed = risen(stage, "imagesource_reconcile_total", step="Create", outcome="failed", reason="Refused")
    stage.kubectl.apply(source("hacked-at"))
    stage.reason("hacked-at", "Refused")
    assert refused() >= 1
    wait_for(lambda: failed() >= 1, what="the pass to be counted")
    assert "hacked" not in stage.operator.metrics()


def test_all_metrics_are_there(stage: Scene) -> None:
    """What the reference lists is exposed, under its name, and nothing else of ours is."""
    text = stage.operator.metrics()
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE imagesource_"))
    listed = {exposed(family): family.type for family, _ in families()}
    assert {name: kind for name, kind in types.items() if not name.endswith("_created")} == listed
