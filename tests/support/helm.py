"""Helm and the chart, for tests."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.support.cluster import ROOT
from tests.support.programs import helm

from imagesources.controlplane import Cluster

Json = dict[str, Any]

CHART = ROOT / "charts" / "imagesource-operator"


def run_helm(*args: str, values: Mapping[str, Any] | None = None) -> str:
    """Runs helm, with values from standard input, and returns its standard output.

    Raises:
        AssertionError: helm failed; holds the command and its standard error.
    """
    given = ("--values=-",) if values is not None else ()
    answer = subprocess.run(
        [helm(), *args, *given], input=json.dumps(values), capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, f"helm {' '.join(args)}: exit code {answer.returncode}\n{answer.stderr}"
    return answer.stdout


def template(release: str, *flags: str, values: Mapping[str, Any] | None = None) -> str:
    """Renders the chart as text."""
    return run_helm("template", release, str(CHART), *flags, values=values)


def rendered(*flags: str, release: str = "iso", **values: Any) -> list[Json]:
    """Renders the chart's objects, hooks too."""
    return [each for each in yaml.safe_load_all(template(release, *flags, values=values)) if each]


@dataclass(frozen=True)
class Helm:
    """helm in one namespace of a cluster, as the administrator."""

    cluster: Cluster
    namespace: str

    def __call__(self, *args: str, chart: Path = CHART, values: Mapping[str, Any] | None = None) -> str:
        """Runs ``helm``; a word ``CHART`` stands for the chart's folder."""
        words = [str(chart) if word == "CHART" else word for word in args]
        where = ("--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig))
        return run_helm(*words, *where, values=values)
