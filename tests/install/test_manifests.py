"""The plain manifests: rendered from the chart, the same through kustomize, and taken by an apiserver."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.install.generate import NAMESPACE, render
from tests.support.cluster import ROOT, run_kubectl
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster

MANIFESTS = ROOT / "manifests"


def test_checked_in_files_are_current() -> None:
    """What is made from the chart and the CRDs is checked in as it is made now; else: make generate."""
    made = render()
    assert [path for path, text in made.items() if ROOT.joinpath(path).read_text() != text] == []
    folders = {str(Path(path).parent) for path in made if path.endswith(".yaml") and "crds" in path}
    found = {str(each.relative_to(ROOT)) for folder in folders for each in ROOT.joinpath(folder).glob("*.yaml")}
    assert found - set(made) == set()


@pytest.mark.parametrize("name", ["install", "namespaced"])
def test_kustomize_is_the_same(cluster: Cluster, name: str) -> None:
    """The kustomize base builds exactly what the one file holds."""
    built = run_kubectl(cluster, "kustomize", str(MANIFESTS / "kustomize" / name))
    one_file = MANIFESTS.joinpath(f"{name}.yaml").read_text()
    built_set, file_set = (_set(text) for text in (built, one_file))
    assert built_set == file_set


def _set(text: str) -> set[str]:
    return {json.dumps(each, sort_keys=True) for each in yaml.safe_load_all(text) if each}


@pytest.mark.parametrize("name", ["install", "namespaced"])
@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_accepted(cluster: Cluster, name: str, flags: tuple[str, ...]) -> None:
    """One file is enough for kubectl apply, client-side too, and a strict apiserver takes it."""
    path = MANIFESTS / f"{name}.yaml"
    conflicts = ("--force-conflicts",) if flags else ()
    run_kubectl(cluster, "apply", *flags, *conflicts, "--dry-run=server", "--validate=strict", f"--filename={path}")
    objects = [each for each in yaml.safe_load_all(path.read_text()) if each]
    assert not any(each["apiVersion"].startswith("images.cycle.io/") for each in objects)
    assert "managed-by" not in path.read_text()


def test_namespaced_needs_no_rights_to_the_cluster() -> None:
    """The namespaced installation holds nothing of the cluster but the namespace itself."""
    objects = [each for each in yaml.safe_load_all(MANIFESTS.joinpath("namespaced.yaml").read_text()) if each]
    outside = [each["kind"] for each in objects if each["metadata"].get("namespace") != NAMESPACE]
    assert outside == ["Namespace"]


def test_crds_are_protected(cluster: Cluster, tmp_path: Path) -> None:
    """Deleting what was installed leaves the CRDs, and so every source, until their annotation says otherwise."""
    whole = [each for each in yaml.safe_load_all(MANIFESTS.joinpath("install.yaml").read_text()) if each]
    guards = [each for each in whole if each["kind"].startswith("ValidatingAdmissionPolicy")]
    guard = tmp_path / "guard.yaml"
    guard.write_text(yaml.safe_dump_all(guards))
    crd = "crd/clusterhubs.images.cycle.io"
    run_kubectl(cluster, "apply", f"--filename={guard}")
    try:
        said = _refused_within(cluster, crd)
        assert "deletes all resources of its kind" in said
        run_kubectl(cluster, "annotate", crd, "images.cycle.io/allow-deletion=yes")
        run_kubectl(cluster, "delete", crd, "--dry-run=server")
        run_kubectl(cluster, "annotate", crd, "images.cycle.io/allow-deletion-")
    finally:
        run_kubectl(cluster, "delete", f"--filename={guard}")


def _refused_within(cluster: Cluster, crd: str) -> str:
    """What the apiserver says against a deletion, once it knows of the policy, which takes it a moment."""

    def look() -> str:
        answer = subprocess.run(
            cluster.command("delete", crd, "--dry-run=server"), capture_output=True, text=True, check=False
        )
        return answer.stderr if answer.returncode else ""

    return wait_for(look, what="the policy to be in force")
