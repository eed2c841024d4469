"""Random requests to the platform: bodies and lists, as Hypothesis strategies."""

from urllib.parse import urlencode

from hypothesis import strategies as st
from tests.support.kinds import Json

NAMES = ["Web", "web 2", "Wéb É", "100%", "a_b", "日本", "it's \"q\\", "x" * 255, "Zoë"]
TERMS = ["web", "É", "ë", "%", "_", "\\", "日", "DIRECT", "docker-hub", "nginx", "x" * 40, "s3cret", "'", "nowhere"]
TEXTS = st.sampled_from([*NAMES, "", "said %s", None])
KEYS = st.sampled_from([*["owner"] * 4, *["developer"] * 2, *["lead"] * 2, "guest", "ops", "reader", "writer", "other"])
PICKS = st.integers(0, 50)
ROLES = ["developer", "ops", "ghost", "DEVELOPER-ID"]
ENTRIES = st.fixed_dictionaries({privilege: st.booleans() for privilege in ("view", "modify", "manage")})
ROLE_ENTRIES = st.dictionaries(st.sampled_from(ROLES), ENTRIES, min_size=1, max_size=2)
ACLS = st.one_of(st.none(), st.just({"roles": {}}), *[st.fixed_dictionaries({"roles": ROLE_ENTRIES})] * 4)
ORIGINS = st.just({"type": "none"}) | st.fixed_dictionaries(
    {
        "type": st.just("docker-hub"),
        "details": st.fixed_dictionaries(
            {"target": st.sampled_from(["nginx:1.29", "É/x"])},
            optional={"username": st.just("ci"), "token": st.just("s3cret"), "existing": st.none()},
        ),
    }
)
BUILDERS = st.sampled_from(["fast-builds", "INTEGRATION-ID", "farm", "cloud", "nowhere"])
ABOUT = st.fixed_dictionaries({"description": TEXTS})
CREATE = st.fixed_dictionaries(
    {"type": st.sampled_from(["direct", "bucket", "stack-build"]), "origin": ORIGINS},
    optional={
        "name": st.sampled_from([*NAMES, ""]),
        "identifier": st.sampled_from(["web", "Web.1", ""]),
        "acl": ACLS,
        "builder": st.none() | st.fixed_dictionaries({"integration_id": BUILDERS}),
        "about": st.none() | ABOUT,
        "nonsense": st.just([1]),
    },
)
UPDATE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(NAMES),
        "identifier": st.sampled_from(["web", "Web.1", "", None]),
        "origin": ORIGINS,
        "builder": st.none() | st.fixed_dictionaries({"integration_id": st.none() | BUILDERS}),
        "about": ABOUT,
        "type": st.just("bucket"),
        "acl": st.just({"roles": {}}),
    },
)
ACCESS = st.just({}) | st.fixed_dictionaries({"acl": ACLS}) | st.fixed_dictionaries({"acl": ACLS})
IMAGE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*NAMES, ""]),
        "build": st.just({"args": {"A": "b"}, "use_disk": True}),
        "override": st.sampled_from([{}, {"target": "nginx:2"}]),
    },
)
AUTH = st.none() | st.sampled_from([{"api_key": "s3cret", "region": "eu"}, {"api_key": ""}, {}])
EXTRA = st.none() | st.just({"project": "p1"})
NEW_INTEGRATION = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Fast builds", "Zoë's farm", "100% cloud"]),
        "identifier": st.sampled_from(["fast-builds", "farm", "cloud", "mill"]),
        "vendor": st.sampled_from(["depot", "depot", "vultr"]),
    },
    optional={"auth": AUTH, "extra": EXTRA},
)
INTEGRATION = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Slow builds", None]),
        "identifier": st.sampled_from(["fast-builds", "farm", "cloud"]),
        "auth": AUTH,
        "extra": EXTRA,
        "vendor": st.just("vultr"),
    },
)
GRANTED = st.none() | st.sampled_from(
    [{"all": True, "specific": []}, {"all": False, "specific": ["images-view", "dns-view"]}]
)
ROLE = st.fixed_dictionaries(
    {
        "identifier": st.sampled_from(["developer", "ops", "ghost", "lead", "Zoë"]),
        "rank": st.sampled_from([0, 2, 4, 5, 10]),
    },
    optional={"name": st.sampled_from([*NAMES, None]), "capabilities": GRANTED, "extra": EXTRA},
)


def often_none(values: list[str]) -> st.SearchStrategy[str | None]:
    """One of some values, but more often None: filters that exclude all show little."""
    return st.one_of(*[st.none()] * 4, st.sampled_from(values))


def queries(kind: str, sort_keys: list[str], states: tuple[str, ...] = ()) -> st.SearchStrategy[tuple[str, Json]]:
    """A kind, and what its list can be asked for."""
    keys = [sign + key for key in sort_keys for sign in ("", "-")]
    query = st.fixed_dictionaries(
        {
            "state": st.lists(st.sampled_from(states), unique=True, max_size=2) if states else st.just([]),
            "identifier": often_none(["web", "Web.1", "web-2", "image-source", "ghost"]),
            "search": often_none(TERMS),
            "source_id": st.one_of(*[st.none()] * 6, PICKS),
            "source_type": often_none(["direct", "bucket", "stack-build"]),
            "category": often_none(["image-builder", "infrastructure-provider", "nothing"]),
            "sort": st.lists(st.sampled_from(keys), max_size=3, unique_by=lambda key: key.removeprefix("-")),
            "size": st.none() | st.integers(1, 4),
            "number": st.sampled_from([1, 1, 1, 2, 3]),
            "meta": st.booleans(),
            "includes": st.booleans(),
        }
    )
    return st.tuples(st.just(kind), query)


TIMES = ["created", "updated"]
SOURCE_LISTS = queries("source", ["id", "name", "identifier", "type", "state", *TIMES], ("live", "deleting", "deleted"))
IMAGE_LISTS = queries(
    "image",
    ["id", "name", "identifier", "size", "source_type", "state", *TIMES],
    ("new", "downloading", "saving", "live", "deleting", "deleted"),
)
LISTS = st.one_of(
    SOURCE_LISTS,
    SOURCE_LISTS,
    IMAGE_LISTS,
    queries(
        "integration", ["id", "name", "identifier", "vendor", "state", *TIMES], ("new", "live", "deleting", "deleted")
    ),
    queries("role", ["name", "id", "identifier", "rank", *TIMES]),
    queries("job", ["id", "caption", "state"], ("queued", "running", "completed", "error")),
)
CHANGES = st.one_of(
    *[st.tuples(st.just("source"), UPDATE)] * 2,
    st.tuples(st.just("integration"), INTEGRATION),
    st.tuples(st.just("role"), ROLE),
)
PACES = st.sampled_from([0.0, 0.0, 0.0, 3600.0])
FAULTS = st.sampled_from([0, 0, 1, 3])


def written(query: Json, **more: str) -> str:
    """Writes a list's parameters as its URL has them."""
    filters = {name: query[name] for name in ("identifier", "search", "source_id", "source_type", "category")}
    filters["state"] = ",".join(query["state"]) or None
    parts = {f"filter[{name}]": value for name, value in filters.items()}
    parts |= {f"page[{name}]": query[name] for name in ("size", "number")} | {"sort": ",".join(query["sort"])}
    return urlencode({name: value for name, value in (parts | more).items() if value is not None})
