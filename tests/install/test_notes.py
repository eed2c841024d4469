"""What Helm says after an installation, followed as it is pasted."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.install.shell import typed
from tests.install.values import HOME, HUBS, SCOPES, matrix
from tests.support.cluster import Kubectl, run_kubectl
from tests.support.helm import CHART, run_helm

from imagesources.controlplane import Cluster

Json = dict[str, Any]

CASES = {name: values for name, values in matrix().items() if name.endswith("1-least")}
ALLOWED = {"by name": {"names": ["team-a"]}, "by label": {"matchLabels": {"a": "b"}}}
NEEDS_A_NODE = re.compile(r"^ +(kubectl .*\b(rollout|wait|get)\b.*|helm .*)\n", re.MULTILINE)


def notes(**values: Any) -> str:
    """The notes of an installation into the operator's namespace."""
    said = run_helm("install", "iso", str(CHART), f"--namespace={HOME}", "--dry-run=client", values=values)
    return said.partition("NOTES:\n")[2]


def pasted(text: str) -> str:
    """What somebody pastes: everything that is indented, less what needs a node."""
    return NEEDS_A_NODE.sub("", "".join(re.findall(r"^     .*\n", text, re.MULTILINE)))


def follow(cluster: Cluster, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Pastes it into a shell with these variables."""
    return typed(cluster, pasted(text), **variables)


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster in which nothing of the notes is there, before and after."""
    for moment in ("before", "after"):
        run_kubectl(cluster, "delete", "imagesources", "--all", "--all-namespaces")
        run_kubectl(cluster, "delete", "secret", "cycle", f"--namespace={HOME}", "--ignore-not-found")
        if moment == "before":
            yield cluster


@pytest.mark.parametrize(("name", "values"), CASES.items(), ids=CASES)
def test_followed(clean: Cluster, name: str, values: Json) -> None:
    """Pasted as they are, the commands bring the key first, then a source where the default hub serves it."""
    said = notes(**values)
    answer = follow(clean, said, KEY="the key")
    assert answer.returncode == 0, answer.stderr
    if "platform" in name:
        assert said.index("create secret") < said.index("helm test")
        secret = Kubectl(clean, HOME).get("secret", "cycle")
        assert secret["metadata"]["labels"] == {"images.cycle.io/credentials": "true"}
        assert secret["data"] == {"apiKey": "dGhlIGtleQ=="}
    place = HOME if name.startswith("namespaced") else "default"
    assert sources(clean) == ([] if "none" in name else [f"{place}/web"])


@pytest.mark.parametrize("allowed", ALLOWED)
def test_source_goes_where_the_hub_may_be_used(clean: Cluster, allowed: str) -> None:
    """The first source is for a namespace that the ClusterHub allows: one that is named, or one to be filled in."""
    said = notes(hub=HUBS["volume"] | {"allowedNamespaces": ALLOWED[allowed]})
    if allowed == "by label":
        assert "NAMESPACE: is to be one that may use the default hub" in follow(clean, said).stderr
    answer = follow(clean, said, NAMESPACE="team-a")
    assert answer.returncode == 0, answer.stderr
    assert sources(clean) == ["team-a/web"]


def test_no_key_no_secret(clean: Cluster) -> None:
    """Pasted without a key, the command makes no Secret that would hold something else."""
    answer = follow(clean, notes(**SCOPES["namespaced"], hub=HUBS["platform"]))
    assert "KEY: is to hold the API key" in answer.stderr
    assert run_kubectl(clean, "get", "secrets", f"--namespace={HOME}", "--output=name") == ""


def sources(cluster: Cluster) -> list[str]:
    """All ImageSources."""
    path = "--output=jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}"
    return run_kubectl(cluster, "get", "imagesources", "--all-namespaces", path).split()
