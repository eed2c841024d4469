"""Random sequences of requests to the embedded platform, each answer compared with that of a small reference."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.support.embedded import SOURCES, Answer, Api, write
from tests.support.facts import load_facts
from tests.support.kinds import KINDS, Json, Refusal, plain
from tests.support.reference import Key, Reference
from tests.support.requests import (
    ACCESS,
    CHANGES,
    CREATE,
    FAULTS,
    IMAGE,
    KEYS,
    LISTS,
    NEW_INTEGRATION,
    PACES,
    PICKS,
    ROLE,
    written,
)

from imagesources.embedded import ALL, EmbeddedPlatform, Options, admin

EXAMPLES = int(os.environ.get("IMAGESOURCES_MODEL_EXAMPLES", "50"))
"""How many sequences are tried on each database; see docs/testing.md."""

STEPS = 50
"""How many steps a sequence has at most; a step is one request or more."""

CAPABILITIES = load_facts()["components"]["schemas"]["Capability"]["enum"]


class Machine(RuleBasedStateMachine):
    """Several keys of two new hubs work on a platform, which is restarted now and then.

    Attributes:
        steps: How many rules were followed, in all sequences.
    """

    steps = 0

    def __init__(self, database: str) -> None:
        super().__init__()
        self._database = database
        self._loop = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._reference = Reference()
        self._keys = self._reference.keys
        self._rows = self._reference.rows
        self._apis: dict[str, Api] = {}
        self._names: dict[str, str] = {}

    @initialize(pace=PACES, masks=st.booleans(), faults=FAULTS, bodies=st.lists(CREATE, min_size=2, max_size=4))
    def start(self, pace: float, masks: bool, faults: int, bodies: list[Json]) -> None:
        """Starts a platform with two hubs, all keys, and a few sources with an image each."""
        self._loop.run(self._open(pace, masks, faults))
        self._set_up()
        for number, body in enumerate(bodies):
            self.create_source("owner", body)
            self.create_image("owner", number + 1, {})

    @rule(pace=PACES, masks=st.booleans(), faults=FAULTS)
    def restart(self, pace: float, masks: bool, faults: int) -> None:
        """Stops the platform and starts it with other options."""
        self._loop.run(self._stack.aclose())
        self._loop.run(self._open(pace, masks, faults))

    @rule()
    def revoke_or_renew(self) -> None:
        """Makes a key useless, or gives it another value, with which it is the same key."""
        guest, api = self._keys["guest"], self._apis["guest"]
        if guest.revoked:
            self._apis["guest"] = replace(api, key=self._loop.run(self._platform.issue_key(guest.hub, name="guest")))
        else:
            assert self._loop.run(write(self._database, partial(admin.revoke_key, hub_id=guest.hub, name="guest")))
        guest.revoked = not guest.revoked

    @rule(who=KEYS, body=CREATE)
    def create_source(self, who: str, body: Json) -> None:
        """Creates a source."""
        key, body = self._keys[who], self._named(body)
        refused = key.denied("images-sources-manage") or self._reference.builder_refusal(key, body.get("builder"))
        if answer := self._made(who, "source", body, refused):
            self._reference.created_source(key, body, answer)
            self._same(who, "source", answer)

    @rule(who=KEYS, pick=PICKS, body=IMAGE)
    def create_image(self, who: str, pick: int, body: Json) -> None:
        """Makes an image from a source, which is counted from then on."""
        key, source_id = self._keys[who], self._pick("source", pick)
        refused = self._reference.change_refusal(key, "source", source_id, "view", "images-manage")
        refused = refused or self._reference.builder_refusal(key, self._rows["source"][source_id]["builder"])
        if answer := self._made(who, "image", {"source_id": source_id, **body}, refused):
            self._reference.created_image(key, source_id, body, answer)
            self._same(who, "image", answer)

    @rule(who=KEYS, body=NEW_INTEGRATION)
    def create_integration(self, who: str, body: Json) -> None:
        """Creates an integration."""
        key = self._keys[who]
        refused = key.denied("hubs-integrations-manage") or self._reference.taken(key, "integration", body)
        if answer := self._made(who, "integration", body, refused):
            self._reference.created_integration(key, body, answer)
            self._same(who, "integration", answer)

    @rule(who=KEYS, body=ROLE)
    def create_role(self, who: str, body: Json) -> None:
        """Creates a role."""
        key = self._keys[who]
        if answer := self._made(who, "role", body, self._reference.role_refusal(key, body)):
            self._reference.created_role(key, body, answer)
            self._same(who, "role", answer)

    @rule(who=KEYS, kind=st.sampled_from([*KINDS]), pick=PICKS, meta=st.booleans())
    def get(self, who: str, kind: str, pick: int, meta: bool) -> None:
        """Reads a resource."""
        self._look(who, kind, self._pick(kind, pick), meta=meta)

    @rule(who=KEYS, asked=LISTS)
    def list_resources(self, who: str, asked: tuple[str, Json]) -> None:
        """Lists resources."""
        (kind, query), key = asked, self._keys[who]
        query = {**query, "source_id": query["source_id"] and self._pick("source", query["source_id"])}
        what = KINDS[kind]
        beside = {"meta": what.meta} if query["meta"] and what.meta else {}
        beside |= {"include": ",".join(what.includes)} if query["includes"] and what.includes else {}
        answer = self._ask(who, "GET", f"{what.path}?{written(query, **beside)}")
        if self._refused(answer, key.denied(what.view)):
            return
        expected = self._reference.page(key, kind, query)
        shown = [self._reference.shown(kind, row_id, meta=query["meta"]) for row_id in expected]
        assert [plain(resource) for resource in answer.data] == shown
        if "include" in beside:
            seen = answer.body["includes"]
            ids = {name: set(seen[name]) for name in what.includes} | {"creators": set(seen["creators"]["api_keys"])}
            included = self._reference.included(key, kind, expected)
            assert ids == {name: included[name] for name in what.includes}

    @rule(who=KEYS)
    def list_latest_jobs(self, who: str) -> None:
        """Lists the newest jobs."""
        key, answer = self._keys[who], self._ask(who, "GET", "/v1/jobs/latest")
        if not self._refused(answer, key.denied("apionly-jobs-view")):
            latest = self._reference.page(key, "job", {"sort": ["-id"], "size": None, "number": 1})
            assert [plain(job) for job in answer.data] == [self._reference.shown("job", job_id) for job_id in latest]

    @rule(who=KEYS)
    def list_capabilities(self, who: str) -> None:
        """Lists what a key could have, which is no secret."""
        assert self._ask(who, "GET", "/v1/hubs/capabilities").data == CAPABILITIES

    @rule(who=KEYS, pick=PICKS, change=CHANGES)
    def update(self, who: str, pick: int, change: tuple[str, Json]) -> None:
        """Updates a resource."""
        kind, body = change[0], self._named(change[1])
        key, row_id = self._keys[who], self._pick(kind, pick)
        if kind == "role":
            refused = self._reference.role_refusal(key, body, row_id)
        else:
            refused = self._reference.change_refusal(key, kind, row_id, "modify")
        if kind == "source":
            refused = refused or self._reference.builder_refusal(key, body.get("builder"))
        if kind == "integration":
            refused = refused or self._reference.taken(key, kind, body, row_id)
        answer = self._ask(who, "PATCH", f"{KINDS[kind].path}/{row_id}", body)
        if not self._refused(answer, refused):
            self._reference.updated(kind, row_id, {name: body[name] for name in body if name != "acl"}, answer.data)
            self._same(who, kind, answer.data)

    @rule(who=KEYS, pick=PICKS, body=ACCESS)
    def share(self, who: str, pick: int, body: Json) -> None:
        """Changes who may do what with a source."""
        source_id, body = self._pick("source", pick), self._named(body)
        answer = self._ask(who, "PATCH", f"{SOURCES}/{source_id}/access", body)
        refused = self._reference.change_refusal(self._keys[who], "source", source_id, "manage")
        if not self._refused(answer, refused):
            self._reference.updated("source", source_id, body, answer.data)
            self._same(who, "source", answer.data)

    @rule(who=KEYS, pick=PICKS)
    def import_image(self, who: str, pick: int) -> None:
        """Imports an image, and waits until the job has come as far as it will."""
        image_id = self._pick("image", pick)
        answer = self._ask(who, "POST", f"{KINDS['image'].path}/{image_id}/tasks", {"action": "import"})
        if not self._refused(answer, self._reference.import_refusal(self._keys[who], image_id)):
            self._follow(who, "image", image_id, answer)

    @rule(who=KEYS, kind=st.sampled_from(["source", "source", "image", "integration", "role"]), pick=PICKS)
    def delete(self, who: str, kind: str, pick: int) -> None:
        """Deletes a resource, and waits until its job has come as far as it will."""
        key, row_id = self._keys[who], self._pick(kind, pick)
        answer = self._ask(who, "DELETE", f"{KINDS[kind].path}/{row_id}")
        if kind == "role":
            refused = self._reference.role_delete_refusal(key, row_id)
        else:
            refused = self._reference.refusal(key, kind, row_id, KINDS[kind].manage, "manage")
        if not self._refused(answer, refused):
            assert answer.status == (200 if kind == "image" else 202)
            self._follow(who, kind, row_id, answer)

    @invariant()
    def count(self) -> None:
        """Counts a step, of which nothing else is to be said: each rule has compared what it was answered."""
        type(self).steps += 1

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

    def _set_up(self) -> None:
        suffix = os.urandom(6).hex()
        hub, other = [self._loop.run(self._platform.ensure_hub(f"{name} {suffix}")) for name in ("hub", "other")]
        self._key("owner", hub, "owner")
        self._key("other", other, "owner")
        self.create_role("owner", {"identifier": "lead", "name": "Lead", "rank": 5})
        self._key("guest", hub, "owner")
        self._key("lead", hub, "lead")
        self._key("ops", hub, "ops")
        self._key("developer", hub, "developer")
        self._key("reader", hub, "developer", frozenset({"images-sources-view"}))
        self._key("writer", hub, "developer", frozenset({"images-sources-manage"}))
        self.create_integration("owner", {"name": "Fast builds", "identifier": "fast-builds", "vendor": "depot"})
        self._names = {
            "DEVELOPER-ID": self._keys["developer"].role,
            "INTEGRATION-ID": next(iter(self._rows["integration"])),
        }

    def _key(self, who: str, hub: str, role: str, capabilities: frozenset[str] | None = None) -> None:
        """Issues a key, and learns of roles that the platform made for it."""
        value = self._loop.run(self._platform.issue_key(hub, capabilities or ALL, name=who, role=role))
        self._apis[who] = Api(self._session, self._platform.url, hub, value)
        seer = "other" if who == "other" else "owner"
        for found in self._ask(seer, "GET", KINDS["role"].path).data:
            self._rows["role"].setdefault(found["id"], plain(found))
            if found["identifier"] == role:
                self._keys[who] = Key(hub, found["id"], capabilities)

    def _ask(self, who: str, method: str, path: str, body: Json | None = None) -> Answer:
        return self._loop.run(self._apis[who](method, path, body))

    def _made(self, who: str, kind: str, body: Json, refused: Refusal | None) -> Json | None:
        """Sends a create and returns what was made, if it was."""
        answer = self._ask(who, "POST", KINDS[kind].path, body)
        if self._refused(answer, refused):
            return None
        assert answer.status == 201
        return dict(answer.data)

    def _look(self, who: str, kind: str, row_id: str, *, meta: bool = False) -> None:
        what = KINDS[kind]
        answer = self._ask(who, "GET", f"{what.path}/{row_id}" + (f"?meta={what.meta}" if meta and what.meta else ""))
        if not self._refused(answer, self._reference.refusal(self._keys[who], kind, row_id, what.view)):
            assert plain(answer.data) == self._reference.shown(kind, row_id, meta=meta)

    def _follow(self, who: str, kind: str, row_id: str, answer: Answer) -> None:
        """Compares the job that a request has started, or found, and what has become of the resource."""
        job_id, action = answer.data["job"]["id"], answer.data["action"]
        there = self._reference.job_of(kind, row_id, action)
        if there is not None:
            assert job_id == there
            return
        assert job_id not in self._rows["job"]
        owner = "other" if who == "other" else "owner"
        job = self._ask(owner, "GET", f"{KINDS['job'].path}/{job_id}").data
        state = self._reference.begin(self._keys[who], kind, row_id, action, job)
        self._loop.run(self._apis[owner].reached(job_id, lambda job: job["state"]["current"] == state))
        self._look(owner, "job", job_id)
        self._look(owner, kind, row_id, meta=True)

    def _same(self, who: str, kind: str, answer: Json) -> None:
        assert plain(answer) == self._reference.answered(self._keys[who], kind, answer["id"])

    def _refused(self, answer: Answer, expected: Refusal | None) -> bool:
        """Asserts that an answer is the refusal expected, or none."""
        if answer.status == 401:
            seen: Refusal | None = 401, answer.body["error"]
        else:
            seen = answer.error[:2] if answer.status >= 400 else None
        assert seen == expected
        return expected is not None

    def _pick(self, kind: str, pick: int) -> str:
        """Picks a resource that there is, or was, or never was."""
        known = ["0" * 24, *self._rows[kind]]
        return known[pick % len(known)]

    def _named(self, value: Any) -> Any:
        """Puts the ids of this platform in place of their stand-ins."""
        if isinstance(value, dict):
            return {self._names.get(key, key): self._named(item) for key, item in value.items()}
        return self._names.get(value, value) if isinstance(value, str) else value


@pytest.mark.timeout(max(300, 5 * EXAMPLES))
def test_agrees_with_the_reference(new_database: Callable[[], str]) -> None:
    """No sequence of requests gets an answer that the reference would not give, in thousands of steps."""
    Machine.steps = 0
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(partial(Machine, new_database()), settings=chosen)
    print(f"{Machine.steps} steps")
    assert Machine.steps > EXAMPLES * STEPS / 2
