"""What a benchmark lists: a hub with thousands of sources of all kinds, and what belongs to them."""

import json
from typing import Final

from sqlalchemy import Connection, update
from tests.support.serving import HUB_ID

from imagesources.embedded import admin, clock, integrations, schema
from imagesources.embedded.access import authenticate
from imagesources.embedded.images import CreateImage, ImageStore
from imagesources.embedded.removal import REMOVE_SOURCE, delete_source
from imagesources.embedded.requests import CreateSource
from imagesources.embedded.store import SourceStore

DEVELOPER_KEY: Final = "the-key-of-a-developer"

_WORDS: Final = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "jade", "krill")
_ACLS: Final = (None, {"view": True, "modify": False, "manage": False}, None, None, {"view": False}, None)


def fill(connection: Connection, count: int) -> None:
    """Fills an empty database.

    Five API keys made the sources. Every second one has an image, every fifth a builder. Of six, one has an ACL that
    lets developers view it, and one an ACL that does not. Of twenty, one is being deleted and one is deleted.

    Args:
        connection: within a transaction.
        count: sources.
    """
    admin.ensure_hub(connection, "benchmark", HUB_ID)
    admin.issue_key(connection, HUB_ID, name="developer", role="developer", value=DEVELOPER_KEY)
    keys = [admin.issue_key(connection, HUB_ID, name=f"maker {number}") for number in range(5)]
    makers = [authenticate(connection, key, HUB_ID) for key in keys]
    for name in ("small-builds", "large-builds"):
        integrations.add(connection, HUB_ID, {"name": name, "identifier": name, "vendor": "depot"})
    for number in range(count):
        maker = makers[number % len(makers)]
        wanted = CreateSource.model_validate_json(json.dumps(_source(number)))
        source_id = SourceStore(maker).create(connection, wanted)["id"]
        if number % 2 == 0:
            ImageStore(maker).create(connection, CreateImage(source_id=source_id))
        if number % 20 in (7, 13):
            delete_source(connection, maker, source_id)
        if number % 20 == 7:
            _finish(connection, source_id)
    # The jobs of the other sources stay as they are: nothing works while it is measured.
    connection.execute(update(schema.jobs).values(due=None))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")  # its autovacuum does so within a minute


def _source(number: int) -> dict[str, object]:
    word, other = _WORDS[number % 11], _WORDS[number // 11 % 11]
    acl = _ACLS[number % 6]
    return {
        "name": f"{word} {other} {number}",
        "identifier": f"{word}-{number % 5000}",
        "type": ("direct", "direct", "bucket")[number % 3],
        "origin": {
            "type": "docker-hub",
            "details": {"target": f"example/{word}:{number % 100}", "username": "ci", "token": f"secret-{number:032x}"},
        },
        "about": {"description": f"The {other} service of team {number % 40}; deployed by the pipeline {word}."},
        "acl": acl and {"roles": {"developer": {"modify": False, "manage": False, **acl}}},
        "builder": {"integration_id": "small-builds"} if number % 5 == 0 else None,
    }


def _finish(connection: Connection, source_id: str) -> None:
    for step in REMOVE_SOURCE.steps:
        if step.effect is not None:
            step.effect(connection, source_id)
    connection.execute(
        update(schema.jobs).where(schema.jobs.c.object_id == source_id).values(state="completed", completed=clock.now())
    )
