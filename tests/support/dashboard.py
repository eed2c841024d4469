"""What the dashboard shows of a real operator under load, as text.

``python -m tests.support.dashboard PROMETHEUS``, the path of a Prometheus program, starts a control plane, a platform,
the operator and Prometheus, lets people and accidents happen, and prints the result of every query of the dashboard as
a table in Markdown: what ``docs/operations.md`` shows. Prometheus also evaluates the alerts meanwhile.
"""

import argparse
import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.cluster import ROOT, install_crds
from tests.support.proxy import Fault
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane, Process, find_programs, free_ports

FILES = ROOT / "charts" / "imagesource-operator" / "files"
Json = dict[str, Any]

_BARS = " ▁▂▃▄▅▆▇█"
_POINTS = 32
_WINDOW = "15s"
_MISSING = {"type": "docker-hub", "details": {"target": "a", "tokenFrom": {"secretKeyRef": {"name": "no", "key": "k"}}}}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("prometheus", type=Path)
    parser.add_argument("--sources", type=int, default=60)
    arguments = parser.parse_args()
    with TemporaryDirectory() as name, ControlPlane(find_programs(print)) as running:
        install_crds(running.cluster)
        folder = Path(name)
        with scene(running.cluster, folder, step=0.5) as stage:
            stage.operator.start()
            with _prometheus(arguments.prometheus, stage.operator.address, folder) as url:
                begun = time.time()
                _live(stage, arguments.sources)
                _print_results(url, begun, time.time())
            stage.operator.stop()
    return 0


@contextmanager
def _prometheus(program: Path, target: str, folder: Path) -> Iterator[str]:
    """Runs a Prometheus that scrapes the operator each second."""
    port = free_ports(1)[0]
    job = {"job_name": "imagesource-operator", "static_configs": [{"targets": [target], "labels": {"pod": "operator"}}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [job],
        "rule_files": [str(FILES / "rules.yaml")],
    }
    folder.joinpath("prometheus.yml").write_text(json.dumps(config))
    argv = [
        str(program),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with Process(argv, log=folder / "prometheus.log"):
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _query(url, "imagesource_leader"), what="the first scrape")
        yield url


def _live(stage: Scene, number: int) -> None:
    """People create, edit and delete; other hands change sources; the platform fails for a while."""
    stage.kubectl.apply(*(source(f"app-{n}") for n in range(number)), source("poor", origin=_MISSING))
    every = [f"imagesource/app-{n}" for n in range(number)]
    stage.kubectl("wait", *every, "--for=condition=Ready", "--timeout=100s")
    for n in range(0, number, 3):
        stage.edit(f"app-{n}", name=f"Edited {n}")
    time.sleep(10)
    unanswered = Fault(forward=False, answer=(503, {"data": None}))
    stage.calls.rule = lambda call: unanswered if call.method in ("PATCH", "POST") else None
    for n in range(1, number, 3):
        stage.edit(f"app-{n}", name=f"Edited while the platform fails {n}")
    time.sleep(10)
    stage.calls.rule = None
    changed = stage.id_of("app-0")
    stage.platform("PATCH", f"/v1/images/sources/{changed}", {"name": "Changed by other hands"})
    names = [f"app-{n}" for n in range(2, number // 2, 3)]
    stage.kubectl("delete", "imagesource", *names, "--timeout=100s")
    wait_for(lambda: stage.seen("app-0")["name"] == "Edited 0", timeout=200, what="the drift to be corrected")
    time.sleep(10)


def _print_results(url: str, begun: float, ended: float) -> None:
    print("| panel | series | course | last |\n|---|---|---|---|")
    for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]:
        if panel["type"] == "row":
            print(f"| **{panel['title']}** | | | |")
        title = panel["title"]
        for target in panel.get("targets", ()):
            for row in _rows(url, panel, target, begun, ended):
                print(f"| {title} | {row}")
                title = ""
    firing = [f"{alert['labels']['alertname']} ({alert['state']})" for alert in _get(url, "alerts")["alerts"]]
    print(f"\nAlerts that are pending or firing at the end: {', '.join(sorted(firing)) or 'none'}.")


def _rows(url: str, panel: Json, target: Json, begun: float, ended: float) -> Iterator[str]:
    expr = target["expr"].replace("$__rate_interval", _WINDOW).replace("$job", ".+").replace("$hub", ".+")
    step = (ended - begun) / (_POINTS + 1)
    found = _get(url, "query_range", query=expr, start=str(begun), end=str(ended), step=f"{step:.3f}")["result"]
    if not found:
        yield "*no series* | | |"
    for series in sorted(found, key=lambda one: sorted(one["metric"].items())):
        legend = target["legendFormat"]
        for label, value in series["metric"].items():
            legend = legend.replace(f"{{{{{label}}}}}", _plain(value))
        said = legend or ", ".join(_plain(value) for value in series["metric"].values())
        points = {round((float(at) - begun) / step): float(value) for at, value in series["values"]}
        unit = panel["fieldConfig"]["defaults"].get("unit", "")
        yield f"{said} | `{_drawn(points)}` | {_written(list(points.values())[-1], unit)} |"


def _plain(value: str) -> str:
    """Names the hub of the run as a reader would."""
    return "team-a/default" if value.endswith("/default") else value


def _drawn(points: dict[int, float]) -> str:
    """Draws a course; an empty place: there was nothing."""
    known = [value for value in points.values() if value == value]  # noqa: PLR0124 - NaN
    most = max(known, default=0.0) or 1.0
    places = (points.get(at, float("nan")) for at in range(_POINTS + 1))
    return "".join(" " if value != value else _BARS[1 + round(max(value, 0) / most * 7)] for value in places)  # noqa: PLR0124


def _written(value: float, unit: str) -> str:
    if value != value:  # noqa: PLR0124 - NaN: nothing was measured
        return "none"
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.3g} s" if unit == "s" else f"{value:.4g}"


def _query(url: str, expr: str) -> Any:
    try:
        return _get(url, "query", query=expr)["result"]
    except OSError:
        return None


def _get(url: str, what: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"{url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
        return json.load(answer)["data"]


if __name__ == "__main__":
    sys.exit(main())
