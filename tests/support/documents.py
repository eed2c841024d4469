"""Documents of the platform's API, complete and valid, for tests to change."""

from typing import Any

HUB_ID = "5f0000000000000000000001"
SOURCE_ID = "651586fca6078e98982dbd90"
JOB_ID = "651586fca6078e98982dbd91"
NOW = "2026-01-30T08:30:00Z"
NOT_YET = "0001-01-01T00:00:00Z"


def source(**changes: Any) -> dict[str, Any]:
    """Returns an image source (schema ``ImageSource``)."""
    return {
        "id": SOURCE_ID,
        "identifier": "web",
        "type": "direct",
        "hub_id": HUB_ID,
        "name": "Web",
        "about": {"description": None},
        "origin": {"type": "docker-hub", "details": {"target": "nginx:1.29"}},
        "builder": None,
        "creator": {"id": "651586fca6078e98982dbd99", "type": "api-key"},
        "acl": None,
        "state": {"current": "live", "changed": NOW},
        "events": {"created": NOW, "updated": NOW, "deleted": NOT_YET},
        **changes,
    }


def job(**changes: Any) -> dict[str, Any]:
    """Returns a job that runs (schema ``Job``)."""
    times = {"queued": NOW, "started": NOW, "completed": NOT_YET}
    step = {"caption": "Remove", "description": "", "started": NOW, "completed": NOT_YET}
    task = {
        "id": "651586fca6078e98982dbd92",
        "caption": "Remove images",
        "header": "image.source.delete",
        "events": times,
        "steps": [step],
        "state": {"current": "running", "changed": NOW},
        "input": {},
        "output": None,
        "error": None,
    }
    return {
        "id": JOB_ID,
        "hub_id": HUB_ID,
        "caption": "Delete",
        "queue": "images",
        "events": times,
        "schedule": NOW,
        "expires": NOT_YET,
        "tasks": [task],
        "hash": "0",
        "limit_duplicates": True,
        "creator": {"id": "651586fca6078e98982dbd99", "type": "api-key"},
        "state": {"current": "running", "changed": NOW, "error": None},
        **changes,
    }


def refusal(status: int, code: str, **details: Any) -> dict[str, Any]:
    """Returns an error envelope (schema ``ErrorEnvelope``)."""
    return {"error": {"status": status, "code": code, "title": "No.", **details}, "data": None}
