"""Objects that the CRDs accept and refuse."""

from collections.abc import Callable
from typing import Any, NamedTuple

from imagesources.resources import API_VERSION
from imagesources.resources.origin import Origin
from imagesources.resources.registry import RegistryAuth
from imagesources.resources.repository import RepoAuth
from imagesources.resources.variants import Variants

Json = dict[str, Any]

SECRET = {"secretKeyRef": {"name": "login", "key": "token"}}
ID = "651586fca6078e98982dbd90"
URL = "https://registry.example.com"
ACL = {"roles": {"developer": {"view": True, "modify": False, "manage": False}}}

PROVIDER = {
    "region": "eu-central-1", "namespace": "shop", "apiKeyFrom": SECRET, "secretFrom": SECRET,
    "subscriptionId": "1", "clientId": "2",
}  # fmt: skip
AUTH = {
    "user": {"username": "ci", "tokenFrom": SECRET},
    "provider": {"flavor": "ecr", "credentials": PROVIDER | {"config": "e30="}},
    "webhook": {"url": URL},
}
REPO_AUTH = {
    "http": {"username": "ci", "passwordFrom": SECRET},
    "ssh": {"username": "git", "passphraseFrom": SECRET, "privateKeyFrom": SECRET},
}
REPO = {"url": "https://git.example.com/shop.git", "branch": "main", "ref": {"type": "tag", "value": "v1"}}
CREDENTIAL = {"url": URL, "username": "ci", "tokenFrom": SECRET}
EXPIRES = "2035-01-01T00:00:00Z"

DETAILS: dict[str, Json] = {
    "docker-hub": {
        "target": "nginx:1.29", "username": "ci", "tokenFrom": SECRET, "existing": {"sourceRef": {"name": "base"}},
    },
    "docker-file": {
        "repo": REPO, "contextDir": ".", "buildFile": "Dockerfile", "credentials": [CREDENTIAL],
        "existing": {"sourceId": ID},
    },
    "docker-registry": {"target": "shop/web:1", "url": URL, "username": "ci", "passwordFrom": SECRET},
    "oci-registry": {"target": "shop/web:1", "url": URL, "auth": {"type": "user", "details": AUTH["user"]}},
    "cycle-upload": {"expires": EXPIRES, "tokenFrom": SECRET},
    "cycle-source": {"sourceRef": {"name": "web"}},
    "none": {},
}  # fmt: skip

OTHER_FORM = {"usernameFrom": SECRET, "targzUrlFrom": SECRET, "targzUrl": URL, "sourceId": ID, "urlFrom": SECRET}
"""Fields that stand in for others."""

PLATFORM = {"hubId": ID, "apiKeyFrom": SECRET}


def source(origin: Json, **spec: Any) -> Json:
    """An ImageSource."""
    return _object("ImageSource", {"type": "direct", "origin": origin} | spec)


def hub(**spec: Any) -> Json:
    """A Hub."""
    return _object("Hub", spec)


def origin(kind: str, **details: Any) -> Json:
    """An origin with all details of its type, and some more or (None) fewer."""
    return {"type": kind, "details": _with(DETAILS[kind], details)}


def registry_auth(kind: str, **details: Any) -> Json:
    """An origin with this kind of authentication for a registry."""
    return origin("oci-registry", auth={"type": kind, "details": _with(AUTH[kind], details)})


def repo_auth(kind: str, **credentials: Any) -> Json:
    """An origin with this kind of authentication for a repository."""
    return origin(
        "docker-file", repo=REPO | {"auth": {"type": kind, "credentials": _with(REPO_AUTH[kind], credentials)}}
    )


def _with(given: Json, changes: Json) -> Json:
    return {key: value for key, value in (given | changes).items() if value is not None}


def _object(kind: str, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "case"}, "spec": spec}


NONE = {"type": "none"}
NGINX = origin("docker-hub")

ACCEPTED: dict[str, Json] = {
    **{f"origin {kind}": source(origin(kind)) for kind in DETAILS},
    "origin none without details": source(NONE),
    "origin docker-hub from existing id": source(origin("docker-hub", existing={"sourceId": ID})),
    "origin docker-hub with user name from a Secret": source(origin("docker-hub", username=None, usernameFrom=SECRET)),
    "origin docker-file from tar.gz": source(origin("docker-file", repo=None, targzUrl=URL)),
    "origin docker-file from a secret tar.gz": source(origin("docker-file", repo=None, targzUrlFrom=SECRET)),
    "origin docker-file from existing alone": source(origin("docker-file", repo=None)),
    "origin docker-file from a secret repo": source(origin("docker-file", repo={"urlFrom": SECRET})),
    "origin docker-file with credentials from Secrets": source(
        origin("docker-file", credentials=[{"usernameFrom": SECRET, "tokenFrom": SECRET}])
    ),
    "origin docker-registry with token": source(origin("docker-registry", passwordFrom=None, tokenFrom=SECRET)),
    "origin oci-registry without auth": source(origin("oci-registry", auth=None)),
    "origin cycle-source by id": source(origin("cycle-source", sourceRef=None, sourceId=ID)),
    **{f"registry auth {kind}": source(registry_auth(kind)) for kind in AUTH},
    "registry auth user of nobody": source(registry_auth("user", username=None, tokenFrom=None)),
    "registry auth user from a Secret": source(registry_auth("user", username=None, usernameFrom=SECRET)),
    "registry auth provider with secret config": source(
        registry_auth("provider", credentials=PROVIDER | {"configFrom": SECRET})
    ),
    "registry auth webhook from a Secret": source(registry_auth("webhook", url=None, urlFrom=SECRET)),
    **{f"repo auth {kind}": source(repo_auth(kind)) for kind in REPO_AUTH},
    "repo auth ssh without passphrase": source(repo_auth("ssh", passphraseFrom=None)),
    "repo auth http with user name from a Secret": source(repo_auth("http", username=None, usernameFrom=SECRET)),
    **{f"type {kind}": source(NONE, type=kind) for kind in ("direct", "stack-build", "bucket")},
    "name, identifier, about, builder": source(
        NGINX, name="Web", identifier="web", about={"description": ""}, builder={"integrationId": "farm"}
    ),
    "acl of roles": source(NGINX, acl=ACL),
    "acl of nobody": source(NGINX, acl={"roles": {}}),
    "acl unrestricted": source(NGINX, acl={"unrestricted": True}),
    "hubRef": source(NGINX, hubRef={"name": "other"}),
    "hubRef to a ClusterHub": source(NGINX, hubRef={"kind": "ClusterHub", "name": "shared"}),
    "adopt by id": source(NGINX, adopt={"id": ID}),
    "adopt by identifier": source(NGINX, adopt={"identifier": "web"}),
    "adopt never": source(NGINX, adopt={"policy": "Never"}),
    "policies": source(NGINX, deletionPolicy="Orphan", driftPolicy="Report", suspend=True),
    "observe": _object("ImageSource", {"managementPolicy": "Observe", "adopt": {"id": ID}}),
    "an identifier that only begins like the operator's": source(NGINX, identifier="k8s-web"),
    "hub embedded": hub(embedded={}),
    "hub on the platform": hub(platform=PLATFORM),
    "hub with everything": hub(
        platform=PLATFORM | {"url": "http://127.0.0.1:8080/"},
        rateLimit={"requestsPerSecond": 1, "burst": 2},
        inventoryInterval="100ms",
        operatorRole="operator",
        maximumAcl=ACL,
        allowSourceIds=True,
        allowAdoption=False,
        brake={"minimum": 5, "percent": 100, "vanished": 5, "window": "1h"},
        releaseBrake="a1",
    ),
    "hub without a maximum": hub(embedded={}, maximumAcl={"unrestricted": True}),
    "clusterhub": _object("ClusterHub", {"embedded": {}}),
    "clusterhub with namespaces": _object(
        "ClusterHub",
        {"embedded": {}, "allowedNamespaces": {"names": ["*"], "selector": {"matchLabels": {"team": "shop"}}}},
    ),
}


class Refused(NamedTuple):
    """An object that is refused, the field that is named, and what is said."""

    body: Json
    field: str
    message: str


def _misplaced(variants: Variants, full: dict[str, Json], make: Callable[..., Json], path: str) -> dict[str, Refused]:
    """Each field of some types, given to a type that does not take it."""
    values = {key: value for details in full.values() for key, value in details.items()} | OTHER_FORM
    cases = {}
    for field in dict.fromkeys(name for fields in variants.fields.values() for name in fields):
        if wrong := [kind for kind, fields in variants.fields.items() if field not in fields]:
            cases[f"{variants.owner} {wrong[0]} with {field}"] = Refused(
                source(make(wrong[0], **{field: values[field]})),
                f"{path}.{variants.holder}.{field}",
                f"{variants.owner}.{variants.holder}.{field} is only for {variants.owner}.type ",
            )
    return cases


def _missing(variants: Variants, make: Callable[..., Json], path: str) -> dict[str, Refused]:
    """Each need of a type, not met."""
    return {
        f"{variants.owner} {kind} without {group[0]}": Refused(
            source(make(kind, **dict.fromkeys(group))),
            f"{path}.{variants.holder}.{group[0]}",
            f"{variants.owner}.type {kind} needs "
            + " or ".join(f"{variants.owner}.{variants.holder}.{g}" for g in group),
        )
        for kind, groups in variants.needs.items()
        for group in groups
    }


_ORIGIN, _AUTH, _REPO_AUTH = "spec.origin", "spec.origin.details.auth", "spec.origin.details.repo.auth"
_NO_ID = "an id is 24 lowercase hexadecimal digits"
_NO_DURATION = "a duration is a whole number with its unit (ms, s, m, h), at least 100ms"
_NO_URL = "platform.url is https://host or https://host:port, without path, user or query"
_ONE_ADOPT = "adopt takes one field: adopt.id or adopt.identifier"
_ONE_HUB = "a hub is either platform (url, hubId, apiKeyFrom) or embedded: {}"
_ONE_ACL = "acl is either acl.roles (who may do what; {} is nobody) or acl.unrestricted: true"
_ONE_MAXIMUM = "maximumAcl is either maximumAcl.roles (the most that each may be given; {} is nobody)"

REFUSED: dict[str, Refused] = {
    **_misplaced(Origin.variants, DETAILS, origin, _ORIGIN),
    **_misplaced(RegistryAuth.variants, AUTH, registry_auth, _AUTH),
    **_misplaced(RepoAuth.variants, REPO_AUTH, repo_auth, _REPO_AUTH),
    **_missing(Origin.variants, origin, _ORIGIN),
    **_missing(RegistryAuth.variants, registry_auth, _AUTH),
    **_missing(RepoAuth.variants, repo_auth, _REPO_AUTH),
    "two user names": Refused(
        source(origin("docker-hub", usernameFrom=SECRET)),
        f"{_ORIGIN}.details.usernameFrom",
        "origin.details.username and origin.details.usernameFrom exclude each other",
    ),
    "two addresses of a tar.gz": Refused(
        source(origin("docker-file", targzUrl=URL, targzUrlFrom=SECRET)),
        f"{_ORIGIN}.details.targzUrlFrom",
        "origin.details.targzUrl and origin.details.targzUrlFrom exclude each other",
    ),
    "two sources": Refused(
        source(origin("cycle-source", sourceId=ID)),
        f"{_ORIGIN}.details.sourceId",
        "origin.details.sourceRef and origin.details.sourceId exclude each other",
    ),
    "existing without a source": Refused(
        source(origin("docker-hub", existing={})),
        f"{_ORIGIN}.details.existing",
        "give either existing.sourceRef or existing.sourceId",
    ),
    "two user names of a registry": Refused(
        source(registry_auth("user", usernameFrom=SECRET)),
        f"{_AUTH}.details.usernameFrom",
        "auth.details.username and auth.details.usernameFrom exclude each other",
    ),
    "two webhooks": Refused(
        source(registry_auth("webhook", urlFrom=SECRET)),
        f"{_AUTH}.details.urlFrom",
        "auth.details.url and auth.details.urlFrom exclude each other",
    ),
    "two configurations": Refused(
        source(registry_auth("provider", credentials={"config": "e30=", "configFrom": SECRET})),
        f"{_AUTH}.details.credentials.configFrom",
        "credentials.config and credentials.configFrom exclude each other",
    ),
    "repo without an address": Refused(
        source(origin("docker-file", repo={"branch": "main"})),
        f"{_ORIGIN}.details.repo",
        "a repo needs its address: give either repo.url or repo.urlFrom",
    ),
    "two user names of a repo": Refused(
        source(repo_auth("http", usernameFrom=SECRET)),
        f"{_REPO_AUTH}.credentials.usernameFrom",
        "credentials.username and credentials.usernameFrom exclude each other",
    ),
    "two user names of a parent image": Refused(
        source(origin("docker-file", credentials=[CREDENTIAL | {"usernameFrom": SECRET}])),
        f"{_ORIGIN}.details.credentials[0].usernameFrom",
        "credentials.username and credentials.usernameFrom exclude each other",
    ),
    "id that is none": Refused(source(origin("cycle-source", sourceRef=None, sourceId="web")), "sourceId", _NO_ID),
    "id in upper case": Refused(source(NGINX, adopt={"id": ID.upper()}), "spec.adopt.id", _NO_ID),
    "unknown type of origin": Refused(
        source({"type": "docker-hubb"}), "spec.origin.type", 'supported values: "docker-hub", "docker-file"'
    ),
    "no type": Refused(_object("ImageSource", {"origin": NGINX}), "spec.type", "type is required (direct, stack-build"),
    "no origin": Refused(_object("ImageSource", {"type": "direct"}), "spec.origin", "origin is required, unless"),
    "empty target": Refused(source(origin("docker-hub", target="")), f"{_ORIGIN}.details.target", "at least 1 char"),
    "time that is none": Refused(
        source(origin("cycle-upload", expires="soon")), f"{_ORIGIN}.details.expires", "date-time"
    ),
    "observe without adopt": Refused(
        source(NGINX, managementPolicy="Observe"), "spec.adopt", "managementPolicy Observe needs the source to observe"
    ),
    "observe what is to be created": Refused(
        source(NGINX, managementPolicy="Observe", adopt={"policy": "Never"}), "spec.adopt", "give adopt.id or"
    ),
    "the operator's identifier": Refused(
        source(NGINX, identifier="k8s-0b5b9b3e-52c5-4a4f-9d0f-000000000000"),
        "spec.identifier",
        "an identifier that starts with k8s- and a uid is the operator's own; choose another",
    ),
    "adopt nothing": Refused(source(NGINX, adopt={}), "spec.adopt", _ONE_ADOPT),
    "adopt twice": Refused(source(NGINX, adopt={"id": ID, "identifier": "web"}), "spec.adopt", _ONE_ADOPT),
    "acl without anything": Refused(source(NGINX, acl={}), "spec.acl", _ONE_ACL),
    "acl of roles and unrestricted": Refused(source(NGINX, acl=ACL | {"unrestricted": True}), "spec.acl", _ONE_ACL),
    "acl not unrestricted": Refused(
        source(NGINX, acl={"unrestricted": False}), "spec.acl.unrestricted", 'supported values: "true"'
    ),
    "acl of a role without a name": Refused(
        source(NGINX, acl={"roles": {"": ACL["roles"]["developer"]}}), "spec.acl.roles", "identifier of a role, of 1 to"
    ),
    "acl that leaves something open": Refused(
        source(NGINX, acl={"roles": {"developer": {"view": True, "manage": False}}}),
        "spec.acl.roles.developer.modify",
        "Required value",
    ),
    "hub of nothing": Refused(hub(), "spec", _ONE_HUB),
    "hub of two platforms": Refused(hub(platform=PLATFORM, embedded={}), "spec", _ONE_HUB),
    "hub id that is none": Refused(hub(platform=PLATFORM | {"hubId": "shop"}), "spec.platform.hubId", _NO_ID),
    **{
        f"hub at {url}": Refused(hub(platform=PLATFORM | {"url": url}), "spec.platform.url", _NO_URL)
        for url in ("api.cycle.io", "https://api.cycle.io/v1", "https://me:secret@api.cycle.io", "ftp://api.cycle.io")
    },
    **{
        f"interval {text!r}": Refused(hub(embedded={}, inventoryInterval=text), "spec.inventoryInterval", _NO_DURATION)
        for text in ("60", "0s", "99ms", "1.5h", "")
    },
    "brake over no time": Refused(hub(embedded={}, brake={"window": "0m"}), "spec.brake.window", _NO_DURATION),
    "brake beyond all": Refused(
        hub(embedded={}, brake={"percent": 101}), "spec.brake.percent", "less than or equal to 100"
    ),
    "maximum acl of nothing": Refused(hub(embedded={}, maximumAcl={}), "spec.maximumAcl", _ONE_MAXIMUM),
    "clusterhub selecting by nothing": Refused(
        _object("ClusterHub", {"embedded": {}, "allowedNamespaces": {"selector": {"matchLabels": {}}}}),
        "spec.allowedNamespaces.selector.matchLabels",
        "at least 1 properties",
    ),
}  # fmt: skip

IMMUTABLE = (
    "type is immutable; to have another type, create another ImageSource",
    "adopt.identifier is immutable once a source was adopted; to adopt another, create another ImageSource",
    "platform.hubId and platform.url are immutable while ImageSources belong to this hub",
)
"""Rules about changes; they have tests of their own."""
