"""What keeps an installation safe and watched: said directly, as an apiserver takes a chart without it as well."""

from typing import Any

import pytest
from tests.install.test_chart import at_home, of, pods
from tests.install.values import EVERYTHING, HOME, matrix
from tests.support.helm import rendered

Json = dict[str, Any]

CASES = {name: values for name, values in matrix().items() if name.endswith("1-all")}
DNS = [{"port": 53}, {"port": 53, "protocol": "UDP"}]


@pytest.mark.parametrize(("name", "values"), CASES.items(), ids=CASES)
def test_pods(name: str, values: Json) -> None:
    """Each Pod, hooks too, is as restricted as can be: nothing to write but /tmp and its data, nothing to gain."""
    every = list(pods(at_home(values)))
    assert len(every) == 3
    for pod in every:
        spec = pod["spec"]
        inside = {key: spec["securityContext"][key] for key in ("runAsNonRoot", "runAsUser", "seccompProfile")}
        assert inside == {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        may_write = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        has_data = container["args"][0] == "run" and ("volume" in name or "claim" in name)
        assert may_write == ({"/tmp", "/data"} if has_data else {"/tmp"})  # noqa: S108 - the Pod's own


def test_probes() -> None:
    """The kubelet asks whether it lives, from the start on, and whether it is ready, at the port that it listens on."""
    (deployment,) = of(rendered(metrics={"port": 9090}), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 9090}]
    assert "--listen=0.0.0.0:9090" in container["args"]
    paths = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {name: container[name]["httpGet"] for name in paths} == {
        name: {"path": path, "port": "metrics"} for name, path in paths.items()
    }


def test_monitors_reach_the_pods() -> None:
    """Service and monitors select the operator's Pods, and not those of hooks, at the port of the metrics."""
    objects = at_home(EVERYTHING)
    (deployment,), (service,) = of(objects, "Deployment"), of(objects, "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    hooks = [pod["metadata"]["labels"] for pod in pods(objects) if pod["spec"]["containers"][0]["args"][0] != "run"]
    (by_service,), (by_pod,) = of(objects, "ServiceMonitor"), of(objects, "PodMonitor")
    assert [each["port"] for each in by_service["spec"]["endpoints"]] == ["metrics"]
    assert [each["port"] for each in by_pod["spec"]["podMetricsEndpoints"]] == ["metrics"]
    assert [(each["name"], each["targetPort"]) for each in service["spec"]["ports"]] == [("metrics", "metrics")]
    assert by_service["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    for selector in (service["spec"]["selector"], by_pod["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels
        assert not any(selector.items() <= each.items() for each in hooks)


def test_network() -> None:
    """All Pods are let out to DNS, the apiserver and platforms, and in to the metrics alone."""
    objects = at_home(EVERYTHING)
    (policy,) = of(objects, "NetworkPolicy")
    spec = policy["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"port": 8090}]}]
    assert spec["egress"] == [{"ports": DNS}, {"ports": [{"port": 443}, {"port": 6443}]}]
    assert all(spec["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items() for pod in pods(objects))


def test_hooks() -> None:
    """The uninstallation is asked before anything is deleted, and what it says is shown; the doctor is a test."""
    objects = rendered(f"--namespace={HOME}", uninstall={"orphan": True})
    hooks = {
        each["kind"]: {key.removeprefix("helm.sh/"): text for key, text in each["metadata"]["annotations"].items()}
        for each in objects
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    }
    more = {"hook-delete-policy": "before-hook-creation,hook-succeeded", "hook-output-log-policy": "hook-failed"}
    assert hooks == {"Job": {"hook": "pre-delete", **more}, "Pod": {"hook": "test", **more}}
    (job,) = of(objects, "Job")
    assert (job["spec"]["backoffLimit"], job["spec"]["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["uninstall", "--orphan"]
