"""Metrics, dashboard, alerts, runbook and log fields speak of the same things: what is named anywhere exists."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import REGISTRY
from tests.support.cluster import ROOT
from tests.support.facts import load_facts

from imagesources.platform.codes import KNOWN, known
from imagesources.telemetry import metrics
from imagesources.telemetry.logs import FIELDS
from imagesources.telemetry.reference import exposed, families

FILES = ROOT / "charts" / "imagesource-operator" / "files"
OPERATIONS = ROOT / "docs" / "operations.md"
RUNBOOK = ROOT / "docs" / "runbook.md"
SCRAPED = {"job", "namespace", "pod", "instance"}
"""Labels that a scrape adds."""
OWN_CODES = {"ok", "not-sent", "unanswered", "cancelled"}

Json = dict[str, Any]


@cache
def series() -> dict[str, set[str]]:
    """Every series by name, with its labels: ours, and what prometheus_client tells of the process."""
    found: dict[str, set[str]] = {}
    for family, labels in families():
        names = {exposed(family): set(labels)}
        if family.type == "histogram":
            parts = {"bucket": {*labels, "le"}, "sum": set(labels), "count": set(labels)}
            names = {f"{family.name}_{part}": of for part, of in parts.items()}
        found |= names
    for family in REGISTRY.collect():
        if family.name.startswith(("process_", "python_")):
            found |= {sample.name: set(sample.labels) for sample in family.samples}
    return found


def alerts() -> list[Json]:
    """The alerts of the chart."""
    groups = yaml.safe_load((FILES / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[Json]:
    """The panels of the dashboard that show something."""
    every = json.loads((FILES / "dashboard.json").read_text())["panels"]
    return [panel for panel in every if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Every query of dashboard and alerts, under the name of its place."""
    yield from ((alert["alert"], alert["expr"]) for alert in alerts())
    for panel in panels():
        yield from ((panel["title"], _without_variables(target["expr"])) for target in panel["targets"])


def _without_variables(expr: str) -> str:
    """Puts something in the place of Grafana's variables."""
    return expr.replace("$__rate_interval", "5m").replace("$job", ".+").replace("$hub", ".+")


def nodes(node: Any) -> Iterator[Any]:
    """A node of a parsed query, and all below it."""
    yield node
    for part in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, part, None)
        if child is not None:
            yield from nodes(child)
    for argument in getattr(node, "args", ()):
        yield from nodes(argument)


def used(expr: str) -> Iterator[tuple[str, set[str]]]:
    """The series that a query reads, and the labels that it selects them by."""
    for node in nodes(promql.parse(expr)):
        if isinstance(node, promql.VectorSelector):
            yield node.name, {matcher.name for matcher in node.matchers.matchers}


def grouped(expr: str) -> set[str]:
    """The labels that a query groups or joins by."""
    modifiers = (getattr(node, "modifier", None) for node in nodes(promql.parse(expr)))
    return {label for modifier in modifiers for label in getattr(modifier, "labels", ())}


@pytest.mark.parametrize(("place", "expr"), list(queries()))
def test_queries_use_what_exists(place: str, expr: str) -> None:
    """A query reads series that exist, by labels that they have."""
    assert place
    reads = dict(used(expr))
    assert reads, "no series is read"
    for name, labels in reads.items():
        assert name in series(), name
        assert labels <= series()[name] | SCRAPED, name
    assert grouped(expr) <= set[str]().union(SCRAPED, *(series()[name] for name in reads))


def test_a_wrong_query_is_found() -> None:
    """What the test above looks at is all that is in a query, however deep."""
    expr = "1 - (histogram_quantile(0.9, sum by (le, colour) (rate(missing_bucket{size='1'}[5m]))) / other)"
    assert dict(used(expr)) == {"missing_bucket": {"size"}, "other": set()}
    assert grouped(expr) == {"le", "colour"}
    assert dict(used("max_over_time((sum(inner))[1h:1m])")) == {"inner": set()}


def test_every_metric_is_shown() -> None:
    """Each metric is on the dashboard, or in an alert."""
    read = {name for _, expr in queries() for name, _ in used(expr)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in read}
    assert [exposed(family) for family, _ in families() if exposed(family) not in shown] == []


def test_names() -> None:
    """Names follow Prometheus' conventions: a prefix of our own, base units, a unit or ``_total`` last."""
    for family, labels in families():
        assert re.fullmatch(r"imagesource_[a-z_]+", family.name)
        assert family.type != "histogram" or family.name.endswith("_seconds")
        assert family.documentation.endswith(".")
        assert set(labels) <= set(metrics.LABELS), "a label without documentation"
    assert set(metrics.LABELS) == {label for _, labels in families() for label in labels}


def test_all_metrics_are_listed() -> None:
    """What is registered anywhere in the operator is in the lists that reference, dashboard and tests go by."""
    listed = {family.name for family, _ in families()}
    registered = {family.name for family in REGISTRY.collect() if family.name.startswith("imagesource_")}
    assert registered <= listed
    elsewhere = {
        path.name
        for path in (ROOT / "operator" / "imagesources").rglob("*.py")
        if _defines_metrics(path.read_text()) and path.parent.name not in ("telemetry", "embedded")
    }
    assert elsewhere == set()


def _defines_metrics(text: str) -> bool:
    return re.search(r"from prometheus_client import .*\b(Counter|Gauge|Histogram|Summary|Info)\b", text) is not None


def test_codes() -> None:
    """The codes of the platform that are counted under their name are codes of the description, for what we ask."""
    described = set(load_facts()["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    assert described >= KNOWN - OWN_CODES
    left_out = {code for code in described - KNOWN if not code.startswith(("404.", "5"))}
    assert left_out == set()
    assert [known(code) for code in ("404.job", "418.hacked", "429.rate-limiting!")] == ["404.job", "other", "other"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alert(alert: Json) -> None:
    """An alert says what is the case and leads to the part of the runbook that says what to do."""
    note = alert["annotations"]
    assert note.keys() == {"summary", "description", "runbook_url"}
    assert note["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"
    assert alert["labels"]["severity"] in ("warning", "critical")
    labels = set(re.findall(r"\$labels\.(\w+)", "".join(note.values())))
    assert labels <= grouped(alert["expr"])


def test_runbook() -> None:
    """The runbook has a part for each alert, in their order, each with what it means and what to do, and no other."""
    parts = re.split(r"^### ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == [alert["alert"] for alert in alerts()]
    assert [part.splitlines()[0] for part in parts if "**Means.**" not in part or "**Do.**" not in part] == []


def test_places_in_the_runbook() -> None:
    """A panel or row that the runbook names in italics is on the dashboard, and a line of the doctor is one of its."""
    text = RUNBOOK.read_text().replace("**", "")
    lines = re.findall(r"\blines? (\*\w+\*(?: and \*\w+\*)*)", text)
    named = set(re.findall(r"\*(.+?)\*", " ".join(lines)))
    doctor = (ROOT / "operator" / "imagesources" / "kube" / "doctor").glob("*.py")
    checks = {check for path in doctor for check in re.findall(r'Finding\(\s*Level\.\w+,\s*"(\w+)"', path.read_text())}
    assert named
    assert named <= checks
    titles = {panel["title"] for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]}
    places = set(re.findall(r"\*(.+?)\*", text)) - named
    assert {"Hubs", "Not ok"} <= places
    assert places <= titles


def test_panels() -> None:
    """Each panel has a title and a description of its own, a place of its own, and lies within the width."""
    places: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, panel["title"]
        places |= cells
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    ids = [panel["id"] for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]]
    assert len(ids) == len(set(ids))


def test_log_fields_are_documented() -> None:
    """The table of log fields is that of the code."""
    table = re.findall(r"^\| `(\w+)` \| (.+) \|$", OPERATIONS.read_text(), re.MULTILINE)
    assert {name: says for name, says in table if name in FIELDS} == dict(FIELDS)


def test_log_fields_are_known() -> None:
    """No log call passes a field that has no name in the table, and so would be dropped."""
    passed = set()
    for path in (ROOT / "operator" / "imagesources").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.keyword(arg="extra", value=value):
                    passed |= _names(value)
                case ast.FunctionDef(name="fields_of"):
                    passed |= _names(node)
    assert {"hub", "reason", "source_name"} <= passed
    assert passed <= set(FIELDS)


def _names(node: ast.AST) -> set[str]:
    """The keys of the dictionaries within, and the keywords of the calls of ``fields_of``."""
    found = set()
    for each in ast.walk(node):
        match each:
            case ast.Dict(keys=keys):
                found |= {key.value for key in keys if isinstance(key, ast.Constant)}
            case ast.Call(func=ast.Name(id="fields_of"), keywords=words):
                found |= {word.arg for word in words if word.arg}
    return found
