"""The Hub ``default`` that an installation brings along: created if it is absent, and never changed after that."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import uniform

import yaml
from pydantic import ValidationError

from imagesources.hubs.backoff import growing
from imagesources.hubs.hub import HubKey, hub_name
from imagesources.kube.api import Json, KubernetesApi
from imagesources.reconcile.ports import Conflict, KubernetesError
from imagesources.resources import API_VERSION
from imagesources.resources.base import Model
from imagesources.resources.hub import ClusterHub, ClusterHubSpec, Hub, HubSpec
from imagesources.telemetry import log

_NAME = "default"


class HubFileError(ValueError):
    """A file describes no Hub; says which field is wrong."""


@dataclass(frozen=True, slots=True)
class DefaultHub:
    """What to create.

    Attributes:
        namespace: of a Hub; empty: it is a ClusterHub.
        spec: as the file has it.
    """

    namespace: str
    spec: Json

    @classmethod
    def read(cls, path: Path, namespace: str) -> "DefaultHub":
        """Read a YAML file that holds ``spec`` of a Hub, or (no namespace) of a ClusterHub.

        Raises:
            HubFileError: the file cannot be read, or is not that.
        """
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise HubFileError(f"{path}: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict) or content.keys() != {"spec"} or not isinstance(content["spec"], dict):
            raise HubFileError(f"{path}: it must be spec: and the spec of a {'Hub' if namespace else 'ClusterHub'}")
        try:
            spec = (HubSpec if namespace else ClusterHubSpec).model_validate(content["spec"])
        except ValidationError as misfit:
            wrong = misfit.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(["spec", *(str(step) for step in wrong["loc"])])
            raise HubFileError(f"{path}: {field}: {wrong['msg']}") from None
        if unknown := _unknown(content["spec"], spec, "spec"):
            raise HubFileError(f"{path}: {unknown}: there is no such field")
        if (spec.platform is None) == (spec.embedded is None):
            raise HubFileError(f"{path}: spec: a hub is either platform (url, hubId, apiKeyFrom) or embedded: {{}}")
        return cls(namespace, content["spec"])

    @property
    def key(self) -> HubKey:
        """Name it among all hubs."""
        return (Hub if self.namespace else ClusterHub).__name__, self.namespace, _NAME

    def differing(self, hub: Hub) -> list[str]:
        """Find the fields that the file has and that are otherwise in the Hub that there is."""
        wanted = type(hub.spec).model_validate(self.spec)
        return [
            f"spec.{type(wanted).model_fields[name].alias or name}"
            for name in sorted(wanted.model_fields_set)
            if getattr(wanted, name) != getattr(hub.spec, name)
        ]

    def compare(self, hub: Hub) -> None:
        """Say in the log where the Hub that there is is not that of the file."""
        if fields := self.differing(hub):
            log.warning(
                "the %s %s differs from the installation's in %s; it stays as it is, change it with kubectl",
                self.key[0],
                _NAME,
                ", ".join(fields),
                extra={"hub": hub_name(self.key)},
            )

    async def create(self, api: KubernetesApi, seen: Callable[[Json], None]) -> bool:
        """Create it, unless there is one; tells whether there is one now, and tells ``seen`` of a new one."""
        kind = Hub if self.namespace else ClusterHub
        metadata = {"name": _NAME} | ({"namespace": self.namespace} if self.namespace else {})
        body = {"apiVersion": API_VERSION, "kind": kind.__name__, "metadata": metadata, "spec": self.spec}
        try:
            seen(await api.create(kind.plural, self.namespace, body))
            log.info("created the %s %s", kind.__name__, _NAME)
        except Conflict:
            log.info("there is a %s %s; it stays as it is", kind.__name__, _NAME)
        except KubernetesError as error:
            message = "the %s %s could not be created, as the Kubernetes API failed: %s; it is tried again"
            log.error(message, kind.__name__, _NAME, error)
            return False
        return True

    async def keep_trying(self, api: KubernetesApi, seen: Callable[[Json], None]) -> None:
        """Create it later: the apiserver may come back, or a right be granted."""
        for failures in itertools.count():
            await asyncio.sleep(uniform(0.5, 1) * growing(failures, 1.0, 300.0))  # noqa: S311 - jitter
            if await self.create(api, seen):
                return


def _unknown(content: Json, model: Model, at: str) -> str:
    """Find a field that a model does not have; reading ignores those, as the apiserver would have refused them."""
    fields = {field.alias or name: name for name, field in type(model).model_fields.items()}
    for key, value in content.items():
        path, inner = f"{at}.{key}", getattr(model, fields.get(key, ""), None)
        if key not in fields:
            return path
        if isinstance(inner, Model) and (found := _unknown(value, inner, path)):
            return found
    return ""
