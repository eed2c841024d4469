"""The installation: apiserver, clocks, CRDs, rights, Lease."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import combinations
from typing import Any

from imagesources.kube.doctor.finding import Finding, Level, listed
from imagesources.kube.doctor.permissions import Permission, needed
from imagesources.kube.doctor.reader import Reader
from imagesources.reconcile.ports import KubernetesError, Vanished
from imagesources.resources import GROUP, VERSION
from imagesources.resources.base import Resource
from imagesources.resources.schema import KINDS, crd
from imagesources.settings import Settings

Json = dict[str, Any]

OLDEST = (1, 31)
"""Minor version that the CRDs need (selectableFields, ratcheting)."""
_SKEW_SECONDS = 5.0
_AT_ONCE = 8
_RELEASES = "app.kubernetes.io/name=imagesource-operator"
_APPLY = "kubectl apply --server-side --force-conflicts -f crds/"


async def apiserver(reader: Reader) -> list[Finding]:
    """Reachable, new enough, and of the same time."""
    begun = time.time()
    try:
        answer = await reader.read("/version")
    except KubernetesError as error:
        remedy = "check --kubeconfig, the network and the credentials: kubectl version"
        return [Finding(Level.FAIL, "apiserver", f"the Kubernetes API does not answer: {error}", remedy)]
    version = str(answer.body["gitVersion"])
    minor = (int(answer.body["major"]), int("".join(filter(str.isdigit, answer.body["minor"]))))
    found = [Finding(Level.OK, "apiserver", f"Kubernetes {version} answers")]
    if minor < OLDEST:
        message = f"Kubernetes {version} is older than {'.'.join(map(str, OLDEST))}"
        found = [Finding(Level.FAIL, "apiserver", message, "upgrade the cluster")]
    return [*found, _clock(answer.headers.get("date", ""), begun)]


def _clock(date: str, begun: float) -> Finding:
    ahead = (begun + time.time()) / 2 - parsedate_to_datetime(date).timestamp() if date else 0.0
    if abs(ahead) < _SKEW_SECONDS:
        return Finding(Level.OK, "clock", f"this machine and the apiserver agree within {_SKEW_SECONDS:g} s")
    message = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the apiserver"
    return Finding(Level.WARN, "clock", message, "synchronise the clocks (NTP); times in status would mislead")


async def crds(reader: Reader) -> list[Finding]:
    """Served, and as this version of the operator has them."""
    try:
        served = (await reader.read(f"/openapi/v3/apis/{GROUP}/{VERSION}")).body["components"]["schemas"]
    except Vanished:
        return [Finding(Level.FAIL, "crds", f"{GROUP}/{VERSION} is not served: the CRDs are missing", _APPLY)]
    name = ".".join(reversed(GROUP.split(".")))
    return [_compared(kind, served.get(f"{name}.{VERSION}.{kind.__name__}")) for kind in KINDS]


def _compared(kind: type[Resource], served: Json | None) -> Finding:
    if served is None:
        return Finding(Level.FAIL, "crds", f"{kind.plural}.{GROUP} is not installed", _APPLY)
    ours = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    parts = ("spec", "status")
    differing = [path for part in parts for path in differences(ours[part], served["properties"].get(part, {}), part)]
    if not differing:
        return Finding(Level.OK, "crds", f"{kind.plural}.{GROUP} is that of this version")
    missing = [path for path, is_missing in differing if is_missing]
    if missing:
        message = f"{kind.plural}.{GROUP} is of another version: it lacks {listed(missing)}"
        return Finding(Level.FAIL, "crds", message, _APPLY)
    message = f"{kind.plural}.{GROUP} is of another version: {listed(path for path, _ in differing)} differ"
    return Finding(Level.WARN, "crds", message, f"upgrade the operator, or {_APPLY}")


def differences(ours: Json, served: Json, path: str) -> Iterator[tuple[str, bool]]:
    """Find the fields whose schema differs, and whether the cluster lacks them: then it drops what is written there."""
    mine, theirs = ours.get("properties", {}), served.get("properties", {})
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in theirs or name not in mine:
            yield f"{path}.{name}", name not in theirs
        else:
            yield from differences(mine[name], theirs[name], f"{path}.{name}")
    if isinstance(ours.get("items"), dict) and isinstance(served.get("items"), dict):
        yield from differences(ours["items"], served["items"], f"{path}[]")
    rest = {"properties", "items"}
    if {k: v for k, v in ours.items() if k not in rest} != {k: v for k, v in served.items() if k not in rest}:
        yield path, False


async def rights(reader: Reader, settings: Settings, account: str) -> list[Finding]:
    """Everything that the operator's account must be allowed to do."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def denied(permission: Permission, namespace: str, name: str) -> list[str]:
        async with places:
            return [v for v in permission.verbs if not await reader.may(permission, v, namespace, name, account)]

    wanted = list(needed(settings.namespaces, settings.operator_namespace, settings.leases))
    answers = await asyncio.gather(*(denied(*each) for each in wanted))
    who = f"system:serviceaccount:{account}" if account else await reader.who()
    remedy = "install the chart's RBAC again, or name the operator's account: --account NAMESPACE:NAME"
    found = []
    for (permission, namespace, name), verbs in zip(wanted, answers, strict=True):
        where = f"in namespace {namespace}" if namespace else "in the whole cluster"
        what = f"{permission.resource} {name}".rstrip()
        if verbs:
            found.append(Finding(Level.FAIL, "rights", f"{who} may not {', '.join(verbs)} {what} {where}", remedy))
    return found or [Finding(Level.OK, "rights", f"{who} may do all that the operator needs")]


async def leases(reader: Reader, settings: Settings) -> list[Finding]:
    """Held, and renewed in time; an operator that works alone has none."""
    return [await _lease(reader, settings.operator_namespace, name) for name in settings.leases]


async def _lease(reader: Reader, namespace: str, name: str) -> Finding:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
    try:
        spec = (await reader.read(path)).body.get("spec", {})
    except Vanished:
        message = f"there is no Lease {name} in namespace {namespace}: no operator with --leader-elect has run there"
        remedy = "check --operator-namespace and --lease-name, start it, or say --no-leader-elect"
        return Finding(Level.WARN, "lease", message, remedy)
    holder, lasts = spec.get("holderIdentity"), spec.get("leaseDurationSeconds", 0)
    if not holder:
        message = f"nobody holds the Lease {name}: the operator is stopped"
        return Finding(Level.FAIL, "lease", message, f"kubectl -n {namespace} get pods")
    age = (datetime.now(UTC) - datetime.fromisoformat(spec["renewTime"])).total_seconds()
    if age > lasts + _SKEW_SECONDS:
        message = f"{holder} has not renewed the Lease {name} for {age:.0f} s (it lasts {lasts} s): no operator works"
        return Finding(Level.FAIL, "lease", message, f"kubectl -n {namespace} get pods; kubectl logs of the operator")
    return Finding(Level.OK, "lease", f"{holder} holds the Lease {name}, renewed {max(age, 0):.0f} s ago")


async def others(reader: Reader, account: str) -> list[Finding]:
    """Releases that serve the same, each with a Lease of its own; the operator's own account may not look for them."""
    if not account:
        return []
    try:
        deployments = (await reader.read("/apis/apps/v1/deployments", labelSelector=_RELEASES)).body["items"]
    except KubernetesError:
        return []
    remedy = "uninstall one with uninstall.refuse=false, or give each its own namespaces or shardSelector"
    return [
        Finding(Level.WARN, "others", f"{one} and {two} serve the same, and each works on all that is there", remedy)
        for (one, first), (two, second) in combinations(sorted(map(_served, deployments)), 2)
        if first is not None and second is not None and (not first or not second or first & second)
    ]


def _served(deployment: Json) -> tuple[str, set[str] | None]:
    """Name an operator, and tell which namespaces it serves: none means all; None: it is a shard, or does not run."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    flags = [flag.partition("=") for each in spec["template"]["spec"]["containers"] for flag in each.get("args", [])]
    alone = spec["replicas"] and not any(name == "--shard-selector" for name, _, _ in flags)
    namespaces = {value for name, _, value in flags if name == "--namespace"}
    return f"{metadata['namespace']}/{metadata['name']}", namespaces if alone else None
