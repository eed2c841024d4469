"""GitOps: Argo CD's scripts and both tools' examples, and that nothing fights with what is in git."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.install.values import HOME
from tests.support import argocd
from tests.support.cluster import ROOT, SAMPLES, run_kubectl
from tests.support.documents import NOW
from tests.support.helm import CHART, rendered
from tests.support.kstatus import Verdict, kstatus
from tests.support.platform import Refusal
from tests.support.recorder import Recorder
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, ControlPlane
from imagesources.kube.credentials import MANAGER
from imagesources.resources import GROUP
from imagesources.resources.conditions import ConditionType
from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]

ARGO, FLUX = ROOT / "manifests" / "argocd", ROOT / "manifests" / "flux"
EXAMPLES = [ARGO / "application.yaml", *sorted(FLUX.glob("*.yaml"))]
HEALTH_TESTS = argocd.HEALTH.with_name("health_test.yaml")
ACTIONS = argocd.CUSTOMIZATIONS / "ImageSource" / "actions"
ACTION_TESTS = yaml.safe_load(ACTIONS.joinpath("action_test.yaml").read_text())


QUESTIONS = {"inProgress": Verdict.IN_PROGRESS, "failed": Verdict.FAILED, "current": Verdict.CURRENT}
"""Flux's questions in its order, and what a yes means."""

IN_HOME = source("asked") | {"metadata": {"name": "asked", "namespace": HOME}}


def documents(path: Path) -> list[Json]:
    """The objects of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


@pytest.mark.parametrize("case", yaml.safe_load(HEALTH_TESTS.read_text())["tests"], ids=lambda case: case["inputPath"])
def test_health(case: Json) -> None:
    """The health script says of each recorded state what its test file, in Argo CD's own form, expects."""
    (body,) = documents(HEALTH_TESTS.parent / case["inputPath"])
    assert argocd.health(body) == case["healthStatus"]


@pytest.mark.parametrize("case", ACTION_TESTS["discoveryTests"], ids=lambda case: case["inputPath"])
def test_actions_offered(case: Json) -> None:
    """Argo CD offers the actions that make sense."""
    (body,) = documents(ACTIONS / case["inputPath"])
    offered = argocd.run_lua(ACTIONS / "discovery.lua", body)
    assert offered == {each["name"]: {"disabled": each["disabled"]} for each in case["result"]}


@pytest.mark.parametrize("case", ACTION_TESTS["actionTests"], ids=lambda case: case["action"])
def test_action(case: Json) -> None:
    """An action makes of a resource what its test file expects."""
    (before,), (after,) = (documents(ACTIONS / case[key]) for key in ("inputPath", "expectedOutputPath"))
    assert argocd.run_lua(ACTIONS / case["action"] / "action.lua", before) == after


def test_every_action_is_tested() -> None:
    """Each action has a script, is offered, and has a test."""
    names = {path.parent.name for path in ACTIONS.glob("*/action.lua")}
    assert names == {case["action"] for case in ACTION_TESTS["actionTests"]}
    assert all(names == {each["name"] for each in case["result"]} for case in ACTION_TESTS["discoveryTests"])


_conditions = st.dictionaries(st.sampled_from(list(ConditionType)), st.sampled_from(["True", "False", "Unknown"]))


@settings(max_examples=300, deadline=None)
@given(said=_conditions, generation=st.integers(1, 3), observed=st.integers(-1, 3), deleting=st.booleans())
def test_health_is_kstatus(said: dict[str, str], generation: int, observed: int, deleting: bool) -> None:
    """Whatever the conditions are, Argo CD says what kstatus says, and so what Flux, Helm and kubectl wait for."""
    end = {"deletionTimestamp": NOW} if deleting else {}
    conditions = [
        {"type": str(kind), "status": status, "reason": "InSync", "message": "", "lastTransitionTime": NOW}
        for kind, status in said.items()
    ]
    names = {"name": "web", "namespace": "a", "uid": "u", "resourceVersion": "1"}
    metadata = {**names, "generation": generation, "creationTimestamp": NOW, **end}
    status = {"observedGeneration": observed, "conditions": conditions}
    body = source("web") | {"metadata": metadata, "status": status}
    assert argocd.health(body)["status"] == argocd.WORD_OF[kstatus(ImageSource.read(body))]


def test_setting_of_argocd() -> None:
    """The snippet for Argo CD's ConfigMap has the health script for each of our kinds, and the actions."""
    (config,) = documents(ARGO / "argocd-cm.yaml")
    prefix, script = "resource.customizations", argocd.HEALTH.read_text()
    actions = yaml.safe_load(config["data"].pop(f"{prefix}.actions.images.cycle.io_ImageSource"))
    kinds = ("ImageSource", "Hub", "ClusterHub")
    assert config["data"] == {f"{prefix}.health.images.cycle.io_{kind}": script for kind in kinds}
    assert actions == {
        "discovery.lua": ACTIONS.joinpath("discovery.lua").read_text(),
        "definitions": [
            {"name": path.parent.name, "action.lua": path.read_text()} for path in sorted(ACTIONS.glob("*/action.lua"))
        ],
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_accepted(cluster: Cluster, path: Path) -> None:
    """The examples are valid for the CRDs of Argo CD and Flux, and hide no difference from them."""
    inside = [each for each in documents(path) if each["kind"] != "Namespace"]
    here = [each | {"metadata": each["metadata"] | {"namespace": HOME}} for each in inside]
    strictly = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
    run_kubectl(cluster, *strictly, input="\n---\n".join(map(json.dumps, here)))
    assert "ignoreDifferences" not in path.read_text()


def test_examples_fit_the_chart() -> None:
    """The values in the examples are ones that the chart takes, and the paths are where the chart is."""
    (application, _), (home, _, release) = documents(ARGO / "application.yaml"), documents(FLUX / "operator.yaml")
    wanted = [application["spec"]["source"]["helm"]["valuesObject"], release["spec"]["values"]]
    assert wanted[0] == wanted[1]
    assert rendered(f"--namespace={HOME}", **wanted[0])
    for path in (application["spec"]["source"]["path"], release["spec"]["chart"]["spec"]["chart"]):
        assert ROOT / path == CHART
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    assert home["metadata"] == {"name": HOME, "labels": restricted}
    assert application["spec"]["syncPolicy"]["managedNamespaceMetadata"]["labels"] == restricted
    assert application["spec"]["destination"]["namespace"] == HOME


def test_flux_makes_the_documented_release() -> None:
    """The release has the name and the namespace of the documented commands, and is tried again."""
    _, _, release = documents(FLUX / "operator.yaml")
    said = re.findall(
        r"^helm uninstall (\S+) --namespace (\S+)$", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE
    )
    spec = release["spec"]
    assert {(spec["releaseName"], spec["targetNamespace"]), (spec["releaseName"], spec["storageNamespace"])} == set(
        said
    )
    assert spec["install"]["remediation"]["retries"] > 0


@pytest.fixture
def asked(cluster: Cluster) -> Iterator[Callable[[Json], dict[str, bool]]]:
    """Has the apiserver, which knows CEL, answer Flux's questions about a status."""
    (kustomization,) = documents(FLUX / "sources.yaml")
    (check,) = kustomization["spec"]["healthCheckExprs"]
    questions = {key: re.sub(r"(?<![\w.])(status|metadata)\b", r"object.\1", check[key]) for key in QUESTIONS}
    said = " + ' ' + ".join(f"(({text}) ? '{key}' : 'not')" for key, text in questions.items())
    rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["imagesources/status"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "messageExpression": f"'Flux: ' + {said}"}],
    }
    policy = {"kind": "ValidatingAdmissionPolicy", "spec": spec}
    binding = {
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": "flux", "validationActions": ["Deny"]},
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "flux"}}
    objects = "\n---\n".join(json.dumps(head | each) for each in (policy, binding, IN_HOME))
    run_kubectl(cluster, "apply", "--filename=-", input=objects)
    change = ("patch", "imagesource", "asked", f"--namespace={HOME}", "--subresource=status", "--type=merge")

    def ask(status: Json) -> dict[str, bool]:
        argv = cluster.command(*change, "--dry-run=server", f"--patch={json.dumps({'status': status})}")
        answer = subprocess.run(argv, capture_output=True, text=True, check=False).stderr
        found = re.search(r"Flux: (.*)", answer)
        assert found, answer
        return {key: key in found[1].split() for key in QUESTIONS}

    wait_for(lambda: ask({}), what="the policy to be in force")
    yield ask
    run_kubectl(cluster, "delete", "--filename=-", input=objects)


def test_flux_asks_what_kstatus_asks(asked: Callable[[Json], dict[str, bool]]) -> None:
    """Flux's own questions, in its order, come to the same as kstatus for every recorded state and for none."""
    recorded = {path.stem: documents(path)[0] for path in sorted(HEALTH_TESTS.parent.glob("testdata/*.yaml"))}
    for name, body in recorded.items():
        if body["kind"] == "ImageSource" and name != "terminating":
            settled = body["status"]["observedGeneration"] == body["metadata"]["generation"]
            answers = asked({**body["status"], "observedGeneration": 1 if settled else -1})
            first = next((key for key in QUESTIONS if answers[key]), "inProgress")
            assert QUESTIONS[first] is kstatus(ImageSource.read(body)), (name, answers)


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator whose platform takes a second for a delete."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("gitops"), "--debug", step=0.25) as found:
        found.operator.start()
        yield found
        found.operator.stop()


def test_pruning_deletes_and_shows_the_job(stage: Scene) -> None:
    """A source that is gone from git is deleted on the platform, and Argo CD shows the job until it is."""

    def look(source_id: str) -> Json | None:
        try:
            return stage.platform.get(source_id)
        except Refusal:
            return None

    in_git = [source(name) | {"metadata": {"name": name, "labels": {"app": "shop"}}} for name in ("stays", "goes")]
    stage.kubectl.apply(*in_git)
    source_id = stage.ready("goes")["status"]["id"]
    with Recorder(stage.kubectl, "goes", look) as recorder:
        wait_for(lambda: recorder.moments, what="the first state")
        kinds = "--prune-allowlist=images.cycle.io/v1alpha1/ImageSource"
        prune = ("apply", "--prune", "--selector=app=shop", kinds, "--filename=-")
        stage.kubectl(*prune, input=json.dumps(in_git[0]))
        stage.kubectl("wait", "imagesource/goes", "--for=delete", "--timeout=30s")
    assert stage.platform.sources(id=source_id) == []
    said = [
        argocd.health(moment.body) for moment in recorder.moments if moment.body["metadata"].get("deletionTimestamp")
    ]
    assert {each["status"] for each in said} == {"Progressing"}
    assert any("Remove source (completed)" in each["message"] for each in said), said
    assert argocd.health(stage.get("stays"))["status"] == "Healthy"


def test_spec_is_left_alone(stage: Scene) -> None:
    """The operator owns nothing in a spec, and what the apiserver adds is a default: no tool sees a difference."""
    samples = [
        each for path in sorted(SAMPLES.glob("*.yaml")) if path.name != "00-hub.yaml" for each in documents(path)
    ]
    stage.kubectl("apply", "--server-side", "--filename=-", input="\n---\n".join(map(json.dumps, samples)))
    for written in (each for each in samples if each["kind"] == "ImageSource"):
        found = stage.ready(written["metadata"]["name"])
        assert _differs(written["spec"], found["spec"]) == []
        ours = [each for each in _owned(stage, written["metadata"]["name"]) if each["manager"] == MANAGER]
        assert ours
        assert not any("f:spec" in each["fieldsV1"] for each in ours)


def _owned(stage: Scene, name: str) -> list[Json]:
    """Who owns which fields of an ImageSource."""
    found = json.loads(stage.kubectl("get", "imagesource", name, "--show-managed-fields", "--output=json"))
    return list(found["metadata"]["managedFields"])


def _differs(written: Any, found: Any, path: str = "spec") -> list[str]:
    """The paths where what is stored is not what was written, other than what was not written at all."""
    if isinstance(written, dict) and isinstance(found, dict):
        return [each for key, value in written.items() for each in _differs(value, found.get(key), f"{path}.{key}")]
    return [] if written == found else [path]


def test_spec_has_no_surprising_default(stage: Scene) -> None:
    """What the apiserver adds to the smallest spec is documented as the default of the reference page."""
    stage.kubectl.apply(source("smallest"))
    added = {
        key: value for key, value in stage.get("smallest")["spec"].items() if key not in source("smallest")["spec"]
    }
    page = ROOT.joinpath("docs", "reference", "imagesource.md").read_text()
    for name, value in added.items():
        shown = json.dumps(value) if isinstance(value, bool) else str(value)
        assert re.search(rf"`{name}`.*{re.escape(shown)}", page), name
