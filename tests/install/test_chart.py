"""The chart as Helm renders it: what each value does, and that a real apiserver takes all of it."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import click
import pytest
import yaml
from tests.install.generate import documented
from tests.install.values import (
    EMBEDDED,
    EVERYBODY,
    EVERYTHING,
    HOME,
    HUBS,
    OTHERS,
    REFUSED,
    SCOPES,
    matrix,
    merged,
    nested,
)
from tests.support.cluster import ROOT, Kubectl, run_kubectl
from tests.support.helm import CHART, rendered, run_helm, template

from imagesources.cli import main
from imagesources.controlplane import Cluster

Json = dict[str, Any]

DRY_RUN = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
CLUSTER_KINDS = {"ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
MATRIX = matrix()


def of(objects: Iterable[Json], kind: str) -> list[Json]:
    """The objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def pods(objects: Iterable[Json]) -> Iterator[Json]:
    """A Pod for each thing that makes or is one."""
    for each in objects:
        if each["kind"] in ("Deployment", "Job", "Pod"):
            template = each["spec"].get("template", each)
            metadata = {**template["metadata"], "name": each["metadata"]["name"], "namespace": HOME}
            spec = {"restartPolicy": "Always", **template["spec"]}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@cache
def _rendered(values: str) -> list[Json]:
    return rendered(f"--namespace={HOME}", **json.loads(values))


def at_home(values: Json) -> list[Json]:
    """Renders the chart for the operator's namespace; the same values once."""
    return _rendered(json.dumps(values))


@pytest.mark.parametrize(("name", "values"), MATRIX.items(), ids=MATRIX)
def test_combination(name: str, values: Json) -> None:
    """Each combination passes the linter; serving single namespaces takes nothing that belongs to the cluster."""
    run_helm("lint", "--strict", "--quiet", str(CHART), f"--namespace={HOME}", values=values)
    if name.startswith("namespaced"):
        objects = at_home(values)
        assert {each["kind"] for each in objects} & CLUSTER_KINDS == set()
        assert {each["metadata"]["namespace"] for each in objects} == set(SCOPES["namespaced"]["namespaces"])


@pytest.mark.parametrize("path", OTHERS)
def test_value_does_something(path: str) -> None:
    """Each value, changed alone, changes what is rendered."""
    before, after = around(path)
    assert at_home(before) != at_home(after)


def around(path: str) -> tuple[Json, Json]:
    """Values that use the value at a path, and the same with another value there."""
    hub = "postgresql" if path == "networkPolicy.postgresqlPort" else "platform"
    base = EVERYTHING | {"replicas": 2, "hub": {**HUBS[hub], "allowedNamespaces": EVERYBODY}}
    if path in ("hub.platform", "hub.embedded"):
        base |= {"replicas": 1, "hub": {"allowedNamespaces": EVERYBODY}}
    if path == "serviceAccount.create":
        base |= {"serviceAccount": {"name": "theirs"}}
    if path == "metrics.service.create":
        base = merged(base, {"metrics": {"serviceMonitor": {"create": False}}})
    return base, merged(base, nested(path, OTHERS[path]))


def test_everything_is_accepted(cluster: Cluster) -> None:
    """A strict apiserver takes each object of each combination, with long names too, each Pod as a restricted one."""
    every = [at_home(values) for values in [*MATRIX.values(), *(each for path in OTHERS for each in around(path))]]
    every.append(rendered(f"--namespace={HOME}", release="r" * 53))
    distinct = {json.dumps(each): each for objects in every for each in [*objects, *pods(objects)]}
    run_kubectl(cluster, *DRY_RUN, input=joined(distinct.values()))


def joined(objects: Iterable[Json]) -> str:
    """The objects as one input for kubectl."""
    return "\n---\n".join(map(json.dumps, objects))


@pytest.mark.parametrize("name", ["namespaced-platform-2-all", "cluster-volume-1-all"])
def test_arguments_are_known(name: str) -> None:
    """Every command and flag in the chart's Pods is one that the operator has."""
    values = merged(MATRIX[name], {"shardSelector": "a=b" if "platform" in name else "", "log": {"debug": True}})
    for pod in pods(at_home(merged(values, {"uninstall": {"orphan": True}, "allowHosts": ["a.example.com"]}))):
        command, *flags = pod["spec"]["containers"][0]["args"]
        known = main.get_command(click.Context(main), command)
        assert known, command
        options = {option for parameter in known.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {flag.partition("=")[0] for flag in flags} - options == set()


def test_values_are_documented() -> None:
    """Every value has a comment, from which the README is made, and the test above tries every one."""
    said = [path for path, _, _ in documented(CHART / "values.yaml")]
    assert sorted(said) == sorted(["global", *OTHERS])
    leaves = set(_leaves(yaml.safe_load(CHART.joinpath("values.yaml").read_text())))
    assert {leaf for leaf in leaves if not any(leaf == path or leaf.startswith(f"{path}.") for path in said)} == set()


def _leaves(values: Json, above: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name


def test_documented_values() -> None:
    """The values that the page about installing shows are ones that the chart takes."""
    (text,) = re.findall(r"```yaml\n# values\.yaml\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), re.DOTALL)
    assert of(rendered(f"--namespace={HOME}", **yaml.safe_load(text)), "PodDisruptionBudget")


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(values: Json, message: str) -> None:
    """Wrong values are refused in words that name the value."""
    with pytest.raises(AssertionError) as refused:
        rendered(f"--namespace={HOME}", **values)
    assert message in str(refused.value)


def test_pods_are_spread_and_protected_where_there_are_several() -> None:
    """One Pod has neither a disruption budget, which would block a drain, nor anything to be spread."""
    one, two = rendered(replicas=1), rendered(replicas=2)
    assert of(one, "PodDisruptionBudget") == []
    (budget,) = of(two, "PodDisruptionBudget")
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    (alone,), (spread,) = of(one, "Deployment"), of(two, "Deployment")
    assert "topologySpreadConstraints" not in alone["spec"]["template"]["spec"]
    assert spread["spec"]["template"]["spec"]["topologySpreadConstraints"]
    labels = spread["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_embedded_volume() -> None:
    """The embedded platform's volume is mounted once, outlives the release, and is where the database is."""
    objects = rendered(**EMBEDDED)
    (deployment,), (claim,) = of(objects, "Deployment"), of(objects, "PersistentVolumeClaim")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert (claim["spec"]["accessModes"], claim["spec"]["storageClassName"]) == (["ReadWriteOnce"], "fast")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "--embedded-database=sqlite:////data/platform.db" in _arguments(deployment)
    assert "--leader-elect" not in _arguments(deployment)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]


@pytest.mark.parametrize("values", [{}, EMBEDDED], ids=["several", "alone"])
def test_doctor_looks_for_the_lease_of_the_operator(values: Json) -> None:
    """`helm test` looks for a Lease where the operator holds one, and for the same."""
    objects = rendered(**values)
    (doctor,) = (pod for pod in of(objects, "Pod") if pod["metadata"]["name"].endswith("doctor"))
    (deployment,) = of(objects, "Deployment")
    asked, held = (
        {flag for flag in flags if flag.startswith(("--leader-elect", "--lease-name"))}
        for flags in (doctor["spec"]["containers"][0]["args"], _arguments(deployment))
    )
    assert asked == held
    assert bool(held) is (not values)


def test_database_url_is_read_from_the_secret() -> None:
    """The URL of PostgreSQL, which holds a password, is in no argument, and in each Pod's environment."""
    objects = rendered(hub=HUBS["postgresql"] | {"allowedNamespaces": EVERYBODY})
    wanted = {"secretKeyRef": {"name": "database", "key": "url"}}
    for pod in pods(objects):
        (container,) = pod["spec"]["containers"]
        env = {each["name"]: each.get("valueFrom") for each in container["env"]}
        assert env["IMAGESOURCES_EMBEDDED_DATABASE"] == wanted
        assert not any("database" in argument for argument in container["args"])


@pytest.mark.parametrize("hub", [name for name, hub in HUBS.items() if hub])
@pytest.mark.parametrize(("scope", "kind"), [("cluster", "ClusterHub"), ("namespaced", "Hub")])
def test_default_hub_is_valid(home: Kubectl, scope: str, kind: str, hub: str) -> None:
    """The file of the default hub is one that the apiserver takes, as a ClusterHub or as a Hub."""
    objects = rendered(f"--namespace={HOME}", **SCOPES[scope], hub=HUBS[hub] | {"allowedNamespaces": EVERYBODY})
    (config,) = of(objects, "ConfigMap")
    (text,) = config["data"].values()
    body = {"apiVersion": "images.cycle.io/v1alpha1", "kind": kind, "metadata": {"name": "default"}}
    home(*DRY_RUN, input=json.dumps(body | yaml.safe_load(text)))
    assert not any(each["apiVersion"].startswith("images.cycle.io/") for each in objects)


def test_platform_host_is_allowed() -> None:
    """The operator may talk to the host of its default hub, and to those named."""
    values = {"hub": HUBS["platform"] | {"allowedNamespaces": EVERYBODY}, "allowHosts": ["b.example.com"]}
    (deployment,) = of(rendered(**values), "Deployment")
    assert [each for each in _arguments(deployment) if each.startswith("--allow-host")] == [
        "--allow-host=cycle.example.com:8443",
        "--allow-host=b.example.com",
    ]


def test_platform_port_is_let_through() -> None:
    """The network policy lets the operator reach what it may talk to, on each port once."""
    hub = HUBS["platform"] | {"allowedNamespaces": EVERYBODY}
    hosts = ["b.example.com:9443", "c.example.com:9443", "d.example.com"]
    (policy,) = of(rendered(hub=hub, allowHosts=hosts, networkPolicy={"enabled": True}), "NetworkPolicy")
    _, egress = policy["spec"]["egress"]
    assert [each["port"] for each in egress["ports"]] == [443, 6443, 8443, 9443]


def test_platform_by_its_address() -> None:
    """A platform may be named by an IPv6 address; its port is the one let through, not a part of the address."""
    platform = {**HUBS["platform"]["platform"], "url": "https://[2001:db8::1]:8443/"}
    values = {"hub": {"platform": platform, "allowedNamespaces": EVERYBODY}, "allowHosts": ["[2001:db8::2]"]}
    objects = rendered(**values, networkPolicy={"enabled": True})
    (policy,), (deployment,) = of(objects, "NetworkPolicy"), of(objects, "Deployment")
    assert [each["port"] for each in policy["spec"]["egress"][1]["ports"]] == [443, 6443, 8443]
    assert {"--allow-host=[2001:db8::1]:8443", "--allow-host=[2001:db8::2]"} < set(_arguments(deployment))


def test_a_label_comes_once() -> None:
    """A label that is given for all objects and for one is that of the one; no key is written twice."""
    team = "example.com/team"
    own = {"labels": {team: "metrics"}, "create": True}
    metrics = dict.fromkeys(("serviceMonitor", "podMonitor", "rules", "dashboard"), own)
    text = template("iso", values={"commonLabels": {team: "all"}, "podLabels": {team: "pods"}, "metrics": metrics})
    objects = [each for each in yaml.load_all(text, _Strict) if each]
    labels = {each["kind"]: each["metadata"]["labels"][team] for each in objects}
    (deployment,) = of(objects, "Deployment")
    assert (labels["Service"], labels["Deployment"]) == ("all", "all")
    assert deployment["spec"]["template"]["metadata"]["labels"][team] == "pods"
    assert {labels[kind] for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap")} == {"metrics"}


class _Strict(yaml.SafeLoader):
    """Reads YAML, and refuses a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Json:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return super().construct_mapping(node, deep)


def test_alerts_lead_to_the_runbook() -> None:
    """Each alert's link is to its part of the runbook, wherever that is."""
    rules = {"create": True, "runbook": "https://docs.example.com/runbook"}
    (found,) = of(rendered(metrics={"rules": rules}), "PrometheusRule")
    alerts = [rule for group in found["spec"]["groups"] for rule in group["rules"]]
    links = {rule["annotations"]["runbook_url"] for rule in alerts}
    assert links == {f"https://docs.example.com/runbook#{rule['alert'].lower()}" for rule in alerts}


def _arguments(deployment: Json) -> list[str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return list(container["args"])


def test_releases_do_not_collide() -> None:
    """Two releases in one namespace, or one name in two, have no object in common."""
    releases = [("one", HOME), ("two", HOME), ("one", "team-a")]
    names = [
        {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects}
        for objects in (rendered(f"--namespace={namespace}", release=name) for name, namespace in releases)
    ]
    assert len(set.union(*names)) == sum(map(len, names))


def test_chart_says_what_it_is(home: Kubectl) -> None:
    """The chart's version, CRDs and image are those of the project, and Artifact Hub's examples are valid."""
    chart = yaml.safe_load(CHART.joinpath("Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
    hub = {key.removeprefix("artifacthub.io/"): text for key, text in chart["annotations"].items()}
    (image,) = yaml.safe_load(hub["images"])
    (deployment,) = of(rendered(), "Deployment")
    assert image["image"] == deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    crds = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    told = {(each["kind"], each["name"], each["version"]) for each in yaml.safe_load(hub["crds"])}
    assert told == {(crd["spec"]["names"]["kind"], crd["metadata"]["name"], "v1alpha1") for crd in crds}
    home(*DRY_RUN, input=joined(yaml.safe_load(hub["crdsExamples"])))
