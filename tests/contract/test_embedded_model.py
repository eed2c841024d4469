"""Random sequences of requests to the embedded platform, each answer compared with that of a small reference."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from tests.support.embedded import SOURCES, Answer, Api
from tests.support.reference import Json, Key, Reference, Refusal

from imagesources.embedded import ALL, EmbeddedPlatform, Options

EXAMPLES = int(os.environ.get("IMAGESOURCES_MODEL_EXAMPLES", "60"))
"""How many sequences are tried on each database; see docs/testing.md."""

STEPS = 50
"""How many requests a sequence has at most."""

NAMES = ["Web", "web 2", "Wéb É", "100%", "a_b", "日本", "it's \"q\\", "x" * 255, "Zoë"]
TERMS = ["web", "É", "ë", "%", "_", "\\", "日", "DIRECT", "docker-hub", "nginx", "x" * 40, "s3cret", "'", "nowhere"]
TEXTS = st.sampled_from([*NAMES, "", "said %s", None])
KEYS = st.sampled_from(["owner", "owner", "developer", "developer", "ops", "reader", "writer", "other"])
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
BUILDERS = st.sampled_from(["fast-builds", "INTEGRATION-ID", "nowhere"])
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


def often_none(values: list[str]) -> st.SearchStrategy[str | None]:
    """One of some values, but more often None: filters that exclude all show little."""
    return st.one_of(*[st.none()] * 4, st.sampled_from(values))


def queries(states: list[str], sort_keys: list[str]) -> st.SearchStrategy[Json]:
    """What a list can be asked for."""
    keys = [sign + key for key in sort_keys for sign in ("", "-")]
    return st.fixed_dictionaries(
        {
            "state": st.lists(st.sampled_from(states), unique=True, max_size=2),
            "identifier": often_none(["web", "Web.1", "web-2", "image-source"]),
            "search": often_none(TERMS),
            "sort": st.lists(st.sampled_from(keys), max_size=3, unique_by=lambda key: key.removeprefix("-")),
            "size": st.none() | st.integers(1, 4),
            "number": st.sampled_from([1, 1, 1, 2, 3]),
            "counts": st.booleans(),
            "creators": st.booleans(),
        }
    )


SOURCE_QUERIES = queries(
    ["live", "deleting", "deleted"], ["id", "name", "identifier", "type", "state", "created", "updated"]
)
JOB_QUERIES = queries(["queued", "running", "completed", "error"], ["id", "caption", "state"])
PACES = st.sampled_from([0.0, 0.0, 0.0, 3600.0])
FAULTS = st.sampled_from([0, 0, 1, 3])


class Machine(RuleBasedStateMachine):
    """Several keys of two new hubs work on a platform, which is restarted now and then."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._database = database
        self._loop = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._reference = Reference()
        self._keys: dict[str, Key] = {}
        self._apis: dict[str, Api] = {}
        self._names: dict[str, str] = {}
        self._creators: dict[str, str] = {}

    @initialize(pace=PACES, masks=st.booleans(), faults=FAULTS, bodies=st.lists(CREATE, min_size=2, max_size=4))
    def start(self, pace: float, masks: bool, faults: int, bodies: list[Json]) -> None:
        """Starts a platform with two hubs, all keys, and a few sources."""
        self._loop.run(self._open(pace, masks, faults))
        self._loop.run(self._set_up())
        for body in bodies:
            self.create("owner", body)

    @rule(pace=PACES, masks=st.booleans(), faults=FAULTS)
    def restart(self, pace: float, masks: bool, faults: int) -> None:
        """Stops the platform and starts it with other options."""
        self._loop.run(self._stack.aclose())
        self._loop.run(self._open(pace, masks, faults))

    @rule(who=KEYS, body=CREATE)
    def create(self, who: str, body: Json) -> None:
        """Creates a source."""
        key, body = self._keys[who], self._named(body)
        lacking = (403, "403.permissions") if key.lacks("images-sources-manage") else None
        answer = self._ask(who, "POST", SOURCES, body)
        if not self._refused(answer, lacking or self._reference.builder_refusal(key, body)):
            assert answer.status == 201
            source = self._reference.created(key, body, answer.data)
            assert source["creator"]["id"] == self._creators.setdefault(who, answer.data["creator"]["id"])
            assert answer.data["state"]["current"] == "live"
            assert answer.data == self._reference.shown(source["id"])

    @rule(who=KEYS, pick=PICKS, counts=st.booleans())
    def get(self, who: str, pick: int, counts: bool) -> None:
        """Reads a source."""
        source_id = self._pick(pick)
        answer = self._ask(who, "GET", f"{SOURCES}/{source_id}" + ("?meta=images_count" if counts else ""))
        if not self._refused(answer, self._refusal(who, source_id, "images-sources-view", "view")):
            assert answer.data == self._reference.shown(source_id, counts=counts)

    @rule(who=KEYS, query=SOURCE_QUERIES)
    def list_sources(self, who: str, query: Json) -> None:
        """Lists sources."""
        key, includes = self._keys[who], {"include": "creators,integrations"} if query["creators"] else {}
        meta = {"meta": "images_count"} if query["counts"] else {}
        answer = self._ask(who, "GET", f"{SOURCES}?{written(query, **includes, **meta)}")
        if self._refused(answer, (403, "403.permissions") if key.lacks("images-sources-view") else None):
            return
        expected = self._reference.page(key, query)
        assert answer.data == expected
        if query["creators"]:
            included = answer.body["includes"]
            assert set(included["creators"]["api_keys"]) == {source["creator"]["id"] for source in expected}
            named = {(source["builder"] or {}).get("integration_id") for source in expected} - {None}
            assert set(included["integrations"]) == ({self._names["INTEGRATION-ID"]} if named else set())

    @rule(who=KEYS, pick=PICKS, body=UPDATE)
    def update(self, who: str, pick: int, body: Json) -> None:
        """Updates a source."""
        source_id, body = self._pick(pick), self._named(body)
        refused = self._reference.change_refusal(self._keys[who], source_id, "modify")
        refused = refused or self._reference.builder_refusal(self._keys[who], body)
        answer = self._ask(who, "PATCH", f"{SOURCES}/{source_id}", body)
        if not self._refused(answer, refused):
            self._reference.updated(source_id, body, answer.data)
            assert answer.data == self._reference.shown(source_id)

    @rule(who=KEYS, pick=PICKS, body=ACCESS)
    def share(self, who: str, pick: int, body: Json) -> None:
        """Changes who may do what with a source."""
        source_id, body = self._pick(pick), self._named(body)
        answer = self._ask(who, "PATCH", f"{SOURCES}/{source_id}/access", body)
        if not self._refused(answer, self._reference.change_refusal(self._keys[who], source_id, "manage")):
            self._reference.shared(source_id, body, answer.data)
            assert answer.data == self._reference.shown(source_id)

    @rule(who=KEYS, pick=PICKS)
    def make_image(self, who: str, pick: int) -> None:
        """Makes an image from a source, which is counted from then on."""
        source_id = self._pick(pick)
        refused = self._refusal(who, source_id, "images-manage", "view")
        if refused is None and self._reference.sources[source_id]["state"]["current"] != "live":
            refused = (403, "403.invalid-state")
        answer = self._ask(who, "POST", "/v1/images", {"source_id": source_id})
        if not self._refused(answer, refused):
            assert answer.status == 201
            self._reference.images[source_id] += 1

    @rule(who=KEYS, pick=PICKS)
    def delete(self, who: str, pick: int) -> None:
        """Deletes a source, and waits until its job has come as far as it will."""
        source_id = self._pick(pick)
        answer = self._ask(who, "DELETE", f"{SOURCES}/{source_id}")
        if self._refused(answer, self._refusal(who, source_id, "images-sources-manage", "manage")):
            return
        assert answer.status == 202
        job_id, there = answer.data["job"]["id"], self._reference.deletion(self._keys[who], source_id)
        if there is not None:
            assert job_id == there
            return
        assert job_id not in self._reference.jobs
        state = self._reference.deleting(source_id, job_id)
        owner = "other" if self._keys[who].hub == self._keys["other"].hub else "owner"
        self._loop.run(self._apis[owner].reached(job_id, lambda job: job["state"]["current"] == state))
        query = f"filter[state]=deleting,deleted&filter[search]={source_id}&meta=images_count"
        found = self._ask(owner, "GET", f"{SOURCES}?{query}").data
        self._reference.learn(source_id, found[0])
        assert found == [self._reference.shown(source_id, counts=True)]

    @rule(who=KEYS, query=JOB_QUERIES)
    def list_jobs(self, who: str, query: Json) -> None:
        """Lists jobs."""
        key = self._keys[who]
        answer = self._ask(who, "GET", f"/v1/jobs?{written(query)}")
        if not self._refused(answer, (403, "403.permissions") if key.lacks("apionly-jobs-view") else None):
            seen = [{**job, "state": job["state"]["current"]} for job in answer.data]
            shown = [{name: job[name] for name in ("id", "caption", "state")} for job in seen]
            assert shown == self._reference.job_page(key, query)

    def teardown(self) -> None:
        """Stops the platform."""
        self._loop.run(self._stack.aclose())
        self._loop.close()

    async def _open(self, pace: float, masks: bool, faults: int) -> None:
        options = Options(step_seconds=pace, mask_credentials=masks, fail_jobs=faults)
        platform = await self._stack.enter_async_context(EmbeddedPlatform.open(self._database, options=options))
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        self._platform = platform
        self._apis = {who: Api(session, platform.url, api.hub_id, api.key) for who, api in self._apis.items()}
        self._session = session
        self._reference.masks, self._reference.failing, self._reference.stuck = masks, faults, pace > 0

    async def _set_up(self) -> None:
        suffix = os.urandom(6).hex()
        hub, other = [await self._platform.ensure_hub(f"{name} {suffix}") for name in ("hub", "other")]
        role_id = await self._platform.ensure_role(hub, "developer")
        developers = frozenset({"developer", role_id})
        view, manage = frozenset({"images-sources-view"}), frozenset({"images-sources-manage"})
        self._keys = {
            "owner": Key(hub, root=True),
            "developer": Key(hub, developers),
            "ops": Key(hub, frozenset({"ops"})),
            "reader": Key(hub, developers, capabilities=view),
            "writer": Key(hub, developers, capabilities=manage),
            "other": Key(other, root=True),
        }
        for who, key in self._keys.items():
            role = {"ops": "ops", "owner": "owner", "other": "owner"}.get(who, "developer")
            value = await self._platform.issue_key(key.hub, key.capabilities or ALL, name=who, role=role)
            self._apis[who] = Api(self._session, self._platform.url, key.hub, value)
        integration = await self._apis["owner"].integration("fast-builds")
        self._names = {"DEVELOPER-ID": role_id, "INTEGRATION-ID": integration["id"]}
        self._reference.builders = {hub: frozenset({"fast-builds", integration["id"]}), other: frozenset()}

    def _ask(self, who: str, method: str, path: str, body: Json | None = None) -> Answer:
        return self._loop.run(self._apis[who](method, path, body))

    def _refused(self, answer: Answer, expected: Refusal | None) -> bool:
        """Asserts that an answer is the refusal expected, or none."""
        seen = answer.error[:2] if answer.status >= 400 else None
        assert seen == expected
        return expected is not None

    def _refusal(self, who: str, source_id: str, capability: str, privilege: str) -> Refusal | None:
        return self._reference.refusal(self._keys[who], source_id, capability, privilege)

    def _pick(self, pick: int) -> str:
        """Picks a source that there is, or was, or never was."""
        known = ["0" * 24, *self._reference.sources]
        return known[pick % len(known)]

    def _named(self, value: Any) -> Any:
        """Puts the ids of this platform in place of their stand-ins."""
        if isinstance(value, dict):
            return {self._names.get(key, key): self._named(item) for key, item in value.items()}
        return self._names.get(value, value) if isinstance(value, str) else value


def written(query: Json, **more: str) -> str:
    """Writes a list's parameters as its URL has them."""
    filters = {name: query[name] for name in ("identifier", "search")} | {"state": ",".join(query["state"]) or None}
    parts = {f"filter[{name}]": value for name, value in filters.items()}
    parts |= {f"page[{name}]": query[name] for name in ("size", "number")} | {"sort": ",".join(query["sort"])}
    return urlencode({name: value for name, value in (parts | more).items() if value is not None})


@pytest.mark.timeout(max(300, 5 * EXAMPLES))
def test_agrees_with_the_reference(new_database: Callable[[], str]) -> None:
    """No sequence of requests gets an answer that the reference would not give."""
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(partial(Machine, new_database()), settings=chosen)
