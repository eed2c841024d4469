"""The page that documents every metric, written from the metrics themselves."""

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric

from imagesources.telemetry.metrics import COUNTED, LABELS, SNAPSHOTS

_INTRODUCTION = """
# Metrics

At `/metrics`, beside what prometheus_client tells of the process (`process_*`, `python_*`). Each label is one of a
closed set of words, or the name of a Hub: no ImageSource has a series of its own, and nothing that a platform answers
becomes a label. Read [operations](../operations.md) for the dashboard and the alerts that are made of them.
"""


def families() -> Iterator[tuple[Metric, tuple[str, ...]]]:
    """List every metric, with its labels."""
    for metric in COUNTED:
        (family,) = metric.describe()
        yield family, tuple(metric._labelnames)  # noqa: SLF001 - prometheus_client tells them nowhere else
    for snapshot in SNAPSHOTS:
        yield snapshot.family(), snapshot.labels


def exposed(family: Metric) -> str:
    """Name a metric as queries do."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def metrics_page() -> str:
    """Write the page, in Markdown."""
    rows = [(exposed(family), family.type, labels, family.documentation) for family, labels in families()]
    metrics = _table(
        ("metric", "type", "labels", "what it says"),
        ((f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), says) for name, kind, labels, says in rows),
    )
    labels = _table(("label", "values"), ((f"`{name}`", values) for name, values in LABELS.items()))
    return f"{_INTRODUCTION.strip()}\n\n{metrics}\n\n## Labels\n\n{labels}\n"


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
