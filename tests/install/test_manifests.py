"""The plain manifests: rendered from the chart, the same through kustomize, and taken by an apiserver."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from tests.install.generate import NAMESPACE, render
from tests.install.shell import typed
from tests.support.cluster import ROOT, Kubectl, run_kubectl
from tests.support.scene import source
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, ControlPlane, find_programs

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


def test_own_image(cluster: Cluster) -> None:
    """The documented command puts another image in the place of the one that nobody can pull, and no more."""
    page = ROOT.joinpath("docs", "install.md").read_text()
    (command,) = re.findall(r"^(sed .*install\.yaml) \|$", page, re.MULTILINE)
    before = [each for each in yaml.safe_load_all(MANIFESTS.joinpath("install.yaml").read_text()) if each]
    after = [each for each in yaml.safe_load_all(typed(cluster, command).stdout) if each]
    ((old, new),) = [(one, two) for one, two in zip(before, after, strict=True) if one != two]
    (container,) = old["spec"]["template"]["spec"]["containers"]
    container["image"] = f"registry.example.com/{container['image']}"
    assert old == new


def test_namespaced_needs_no_rights_to_the_cluster() -> None:
    """The namespaced installation holds nothing of the cluster but the namespace itself."""
    objects = [each for each in yaml.safe_load_all(MANIFESTS.joinpath("namespaced.yaml").read_text()) if each]
    outside = [each["kind"] for each in objects if each["metadata"].get("namespace") != NAMESPACE]
    assert outside == ["Namespace"]


def test_crds_outlive_deletions(control_plane: ControlPlane) -> None:
    """Deleting what was installed, once or twice, touches no CRD and no source; the documented commands do."""
    assert control_plane
    asks, leaves, deletes_crds = _documented()
    assert asks.endswith("imagesource-operator uninstall")
    with ControlPlane(find_programs(print)) as fresh:
        cluster = fresh.cluster
        run_kubectl(cluster, "apply", "--server-side", f"--filename={MANIFESTS / 'install.yaml'}")
        run_kubectl(cluster, "wait", "--for=condition=Established", f"--filename={ROOT / 'crds'}")
        # What an operator has listed goes at once; a CRD that nobody has used may take five minutes.
        for plural in ("clusterhubs", "hubs", "imagesources"):
            run_kubectl(cluster, "get", plural, "--all-namespaces")
        Kubectl(cluster, "default").apply(source("kept"))
        crd = ("delete", "crd", "clusterhubs.images.cycle.io", "--dry-run=server")
        wait_for(lambda: typed(cluster, shlex.join(["kubectl", *crd])).returncode, what="the policy to be in force")
        for _ in range(2):
            answer = typed(cluster, leaves)
            assert answer.stderr.count("deleting this CRD deletes all resources of its kind") == 3, answer.stderr
            assert "deletionTimestamp" not in Kubectl(cluster, "default").get("imagesource", "kept")["metadata"]
        assert run_kubectl(cluster, "get", "clusterroles", "--selector=app.kubernetes.io/name") == ""
        answer = typed(cluster, deletes_crds)
        assert answer.returncode == 0, answer.stderr
        left = run_kubectl(cluster, "get", "crds,validatingadmissionpolicies,validatingadmissionpolicybindings")
        assert "cycle.io" not in left
        assert "imagesource" not in left


def _documented() -> tuple[str, str, str]:
    """How to leave, as the page about installing says: ask, delete, and delete the CRDs as well."""
    page = ROOT.joinpath("docs", "install.md").read_text()
    part = page.partition("Before you delete what you applied")[2].partition("\n## ")[0]
    leave, whole = re.findall(r"```sh\n(.*?)\n```", part, re.DOTALL)
    asks, leaves = leave.splitlines()
    return asks, leaves, whole
