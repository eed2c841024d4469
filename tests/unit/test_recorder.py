"""Events are written in the background, and nothing that happens to one costs those that follow."""

import asyncio
from typing import Any

import pytest
from tests.support.builders import image_source

from imagesources.kube.recorder import Recorder
from imagesources.reconcile.ports import Happening, KubernetesError

Json = dict[str, Any]


class Api:
    """An apiserver to which the first Events cannot be written."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.notes = list(failures), list[str]()

    async def create_event(self, _namespace: str, body: Json) -> None:
        """See ``KubernetesApi``."""
        if self.failures:
            raise self.failures.pop(0)
        self.notes.append(body["note"])


@pytest.mark.parametrize(
    "failure", [KubernetesError("403 Forbidden"), ValueError("a defect")], ids=["refused", "defect"]
)
async def test_one_that_fails(failure: Exception) -> None:
    """An Event that cannot be written is left out."""
    api: Any = Api(failure)
    recorder = Recorder(api)
    for note in ("first", "second"):
        recorder.tell(image_source(), Happening("Updated", "Update", note))
    running = asyncio.create_task(recorder.run())
    await recorder.flush(5.0)
    running.cancel()
    assert api.notes == ["second"]
