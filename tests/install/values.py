"""Values of the chart: the matrix of those that are rendered, and one other value for each that there is."""

import itertools
from typing import Any

Json = dict[str, Any]

HOME = "imagesource-system"
HUB_ID = "651586fca6078e98982dbd90"
DIGEST = f"sha256:{'0f' * 32}"

PLATFORM = {"hubId": HUB_ID, "apiKeySecret": {"name": "cycle", "key": "apiKey"}}
EVERYBODY = {"names": ["*"]}
HUBS: dict[str, Json] = {
    "none": {},
    "platform": {"platform": PLATFORM | {"url": "https://cycle.example.com:8443"}},
    "volume": {"embedded": {"persistence": {"size": "1Gi", "storageClassName": "fast"}}},
    "claim": {"embedded": {"persistence": {"existingClaim": "platform"}}},
    "postgresql": {"embedded": {"postgresql": {"urlSecret": {"name": "database", "key": "url"}}}},
}
SCOPES: dict[str, Json] = {"cluster": {}, "namespaced": {"namespaces": [HOME, "team-a"]}}

EVERYTHING: Json = {
    "networkPolicy": {"enabled": True},
    "metrics": {
        "serviceMonitor": {"create": True},
        "podMonitor": {"create": True},
        "rules": {"create": True},
        "dashboard": {"create": True},
    },
}
"""All that is not on by default and concerns nothing else."""

_LABEL = {"example.com/team": "images"}
_PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
_SPREAD = {"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}

OTHERS: Json = {
    "nameOverride": "sources",
    "fullnameOverride": "sources",
    "commonLabels": _LABEL,
    "namespaces": [HOME],
    "hub.platform": PLATFORM,
    "hub.embedded": {"persistence": {"existingClaim": "platform"}},
    "hub.allowedNamespaces.names": ["team-a"],
    "hub.allowedNamespaces.matchLabels": _LABEL,
    "allowHosts": ["other.example.com", "third.example.com:8443"],
    "uninstall.refuse": False,
    "uninstall.orphan": True,
    "crds.protect": False,
    "replicas": 3,
    "image.repository": "registry.example.com/operator",
    "image.tag": "next",
    "image.digest": DIGEST,
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry"}],
    "log.format": "text",
    "log.debug": True,
    "shardSelector": "example.com/shard=1,tier in (a, b)",
    "extraArgs": ["--allow-http"],
    "extraEnv": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel:4318"}],
    "extraVolumes": [{"name": "authority", "configMap": {"name": "authority"}}],
    "extraVolumeMounts": [{"name": "tmp", "mountPath": "/cache"}],
    "resources.requests": {"cpu": 1},
    "resources.limits": {"cpu": "2", "memory": "1Gi"},
    "securityContext.runAsUser": 1000,
    "securityContext.runAsGroup": 1000,
    "securityContext.fsGroup": None,
    "serviceAccount.create": False,
    "serviceAccount.name": "images",
    "serviceAccount.annotations": _LABEL,
    "rbac.create": False,
    "rbac.aggregate": False,
    "podAnnotations": _LABEL,
    "podLabels": {"example.com/team": "operators"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "example.com/infra", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [_SPREAD],
    "terminationGracePeriodSeconds": 60,
    "podDisruptionBudget.create": False,
    "networkPolicy.enabled": False,
    "networkPolicy.ingressFrom": [_PEER],
    "networkPolicy.apiServerPorts": [16443],
    "networkPolicy.platformPorts": [9443],
    "networkPolicy.postgresqlPort": 6432,
    "metrics.port": 9090,
    "metrics.service.create": False,
    "metrics.service.annotations": _LABEL,
    "metrics.serviceMonitor.create": False,
    "metrics.serviceMonitor.labels": {"example.com/team": "monitoring"},
    "metrics.serviceMonitor.interval": "1m",
    "metrics.podMonitor.create": False,
    "metrics.podMonitor.labels": _LABEL,
    "metrics.podMonitor.interval": "1m",
    "metrics.rules.create": False,
    "metrics.rules.labels": _LABEL,
    "metrics.rules.runbook": "https://docs.example.com/runbook",
    "metrics.dashboard.create": False,
    "metrics.dashboard.labels": {"grafana_dashboard": "yes"},
}
"""Another value for each one that the chart has; null where the cluster chooses."""


EMBEDDED = {"hub": {**HUBS["volume"], "allowedNamespaces": EVERYBODY}}
"""The least values for the embedded platform on a volume."""

REFUSED: dict[str, tuple[Json, str]] = {
    "typo": ({"replica": 2}, "at '': additional properties 'replica' not allowed"),
    "typo inside": ({"metrics": {"prot": 1}}, "at '/metrics': additional properties 'prot' not allowed"),
    "text for a number": ({"replicas": "two"}, "at '/replicas': got string, want integer"),
    "negative": ({"replicas": -1}, "at '/replicas': minimum: got -1, want 0"),
    "no namespace": ({"namespaces": ["Team A"]}, "at '/namespaces/0': 'Team A' does not match pattern"),
    "twice": ({"namespaces": ["a", "a"]}, "at '/namespaces': items at 0 and 1 are equal"),
    "name with a dot": ({"fullnameOverride": "a.b"}, "at '/fullnameOverride': 'a.b' does not match pattern"),
    "log": ({"log": {"format": "xml"}}, "at '/log/format': value must be one of 'json', 'text'"),
    "policy": ({"image": {"pullPolicy": "Often"}}, "value must be one of 'Always', 'IfNotPresent', 'Never'"),
    "digest": ({"image": {"digest": "sha256:1"}}, "at '/image/digest': 'sha256:1' does not match pattern"),
    "root": ({"securityContext": {"runAsUser": 0}}, "at '/securityContext/runAsUser': minimum: got 0, want 1"),
    "privileged port": ({"metrics": {"port": 80}}, "at '/metrics/port': minimum: got 80, want 1,024"),
    "host with scheme": ({"allowHosts": ["https://a.b"]}, "at '/allowHosts/0': 'https://a.b' does not match"),
    "monitor without service": (
        {"metrics": {"serviceMonitor": {"create": True}, "service": {"create": False}}},
        "at '/metrics/service/create': value must be true",
    ),
    "plain http": (
        {"hub": {"platform": HUBS["platform"]["platform"] | {"url": "http://cycle.example.com"}}},
        "at '/hub/platform/url': 'http://cycle.example.com' does not match pattern",
    ),
    "nobody's account": ({"serviceAccount": {"create": False}}, "at '/serviceAccount/name': minLength: got 0, want 1"),
    "label of the chart": (
        {"commonLabels": {"app.kubernetes.io/name": "mine"}},
        "at '/commonLabels/app.kubernetes.io~1name': false schema",
    ),
    "label of the Pod": (
        {"podLabels": {"app.kubernetes.io/component": "mine"}},
        "at '/podLabels/app.kubernetes.io~1component': false schema",
    ),
    "label of a monitor": (
        {"metrics": {"podMonitor": {"labels": {"helm.sh/chart": "mine"}}}},
        "at '/metrics/podMonitor/labels/helm.sh~1chart': false schema",
    ),
    "annotation of the Pod": (
        {"podAnnotations": {"checksum/default-hub": "1"}},
        "at '/podAnnotations/checksum~1default-hub': false schema",
    ),
    "no such port": ({"allowHosts": ["a:99999"]}, "at '/allowHosts/0': 'a:99999' does not match pattern"),
    "no port": (
        {"hub": {"platform": HUBS["platform"]["platform"] | {"url": "https://cycle.example.com:"}}},
        "at '/hub/platform/url': 'https://cycle.example.com:' does not match pattern",
    ),
    "image with a space": ({"image": {"repository": "a b"}}, "at '/image/repository': 'a b' does not match pattern"),
    "plain key": ({"hub": {"platform": {"apiKey": "secret"}}}, "additional properties 'apiKey' not allowed"),
    "no key": ({"hub": {"platform": {"hubId": "5f" * 12}}}, "at '/hub/platform': missing property 'apiKeySecret'"),
    "two hubs": ({"hub": HUBS["platform"] | HUBS["volume"]}, "at '/hub/platform': maxProperties: got 3, want 0"),
    "embedded in memory": (
        {"hub": {"embedded": {"memory": True}}},
        "at '/hub/embedded': missing property 'persistence'",
    ),
    "two databases": (
        {"hub": {"embedded": HUBS["volume"]["embedded"] | HUBS["postgresql"]["embedded"]}},
        "at '/hub/embedded': 'oneOf' failed, subschemas 0, 1 matched",
    ),
    "volume without size": ({"hub": {"embedded": {"persistence": {}}}}, "missing property 'size'"),
    "volume for two": (EMBEDDED | {"replicas": 2}, "at '/replicas': maximum: got 2, want 1"),
    "volume for a shard": (EMBEDDED | {"shardSelector": "a=b"}, "at '/shardSelector': maxLength: got 3, want 0"),
    "many readers": (
        {"hub": {"embedded": {"persistence": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}}},
        "additional properties 'accessModes' not allowed",
    ),
    "hub for nobody": ({"hub": HUBS["volume"]}, "hub.allowedNamespaces: nobody could use the default ClusterHub"),
    "hub elsewhere": (
        EMBEDDED | {"namespaces": ["team-a"]},
        f"namespaces: the default Hub is made in namespace {HOME}, which is not among them",
    ),
}
"""Values that are refused, and the words of the refusal."""


def matrix() -> dict[str, Json]:
    """Every combination of scope, hub, one or more Pods, and all or nothing of the rest, by a name."""
    found = {}
    for scope, hub, replicas, rest in itertools.product(SCOPES, HUBS, (1, 2), ("least", "all")):
        if replicas == 1 or "persistence" not in HUBS[hub].get("embedded", {}):
            values = {**SCOPES[scope], "hub": {**HUBS[hub], "allowedNamespaces": EVERYBODY}, "replicas": replicas}
            found[f"{scope}-{hub}-{replicas}-{rest}"] = values | (EVERYTHING if rest == "all" else {})
    return found


def nested(path: str, value: Any) -> Json:
    """The values in which only one is given."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def merged(base: Json, over: Json) -> Json:
    """The values as Helm merges them: objects key by key."""
    both = base.keys() & over.keys()
    inner = {k: merged(base[k], over[k]) for k in both if isinstance(base[k], dict) and isinstance(over[k], dict)}
    return {**base, **over, **inner}
