"""What kstatus makes of a resource at every moment of its life, by a watch, beside what the platform has then."""

import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.cluster import Kubectl
from tests.support.kstatus import Verdict, kstatus

from imagesources.resources.imagesource import ImageSource

Json = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """One state of the resource.

    Attributes:
        verdict: what kstatus says of it.
        resource: the state.
        body: the same, as the apiserver gave it.
        source: the source on the platform right after; None: there is none.
    """

    verdict: Verdict
    resource: ImageSource
    body: Json
    source: Json | None


class Recorder:
    """Watches one ImageSource; a context manager.

    Args:
        kubectl: for the namespace.
        name: of the resource, which need not exist yet.
        look: reads a source of the platform by its id; None: it is not there.

    Attributes:
        moments: all states, oldest first.
    """

    def __init__(self, kubectl: Kubectl, name: str, look: Callable[[str], Json | None]) -> None:
        self.moments: list[Moment] = []
        self._look = look
        selector = f"--field-selector=metadata.name={name}"
        watch = ("get", "imagesources", selector, "--watch", "--output=json")
        self._argv = kubectl.cluster.command("--namespace", kubectl.namespace, *watch)
        self._thread = threading.Thread(target=self._read, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._thread.join()
        with self._process:
            return

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts, without repetitions."""
        found = [moment.verdict for moment in self.moments]
        return [verdict for before, verdict in zip([None, *found], found, strict=False) if verdict != before]

    def _read(self) -> None:
        assert self._process.stdout is not None
        text = ""
        for line in self._process.stdout:
            text += line
            if line.startswith("}"):  # kubectl indents everything but the end of an object
                self._take(json.loads(text))
                text = ""

    def _take(self, body: Json) -> None:
        resource = ImageSource.read(body)
        source = self._look(resource.status.id) if resource.status.id else None
        self.moments.append(Moment(kstatus(resource), resource, body, source))
