"""The administrator's requests to an apiserver without kubectl, for tests that make thousands of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch

from imagesources.resources import GROUP, VERSION

Json = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """One connection pool; safe for several threads."""

    custom: client.CustomObjectsApi
    core: client.CoreV1Api

    @classmethod
    def connect(cls, kubeconfig: Path) -> "Api":
        """Reads a kubeconfig."""
        connection = config.new_client_from_config(str(kubeconfig))
        return cls(client.CustomObjectsApi(connection), client.CoreV1Api(connection))

    def within(self, namespace: str) -> "Resources":
        """Makes a namespace."""
        self.core.create_namespace({"metadata": {"name": namespace}})
        return Resources(self, namespace)


@dataclass(frozen=True)
class Resources:
    """ImageSources, Hubs and Secrets of one namespace."""

    api: Api
    namespace: str

    def create(self, body: Json) -> None:
        """Creates an ImageSource, a Hub or a Secret."""
        if body["kind"] == "Secret":
            self.api.core.create_namespaced_secret(self.namespace, body)
        else:
            plural = f"{body['kind'].lower()}s"
            self.api.custom.create_namespaced_custom_object(GROUP, VERSION, self.namespace, plural, body)

    def list(self, plural: str = "imagesources") -> Json:
        """The list as the apiserver gives it."""
        return dict(self.api.custom.list_namespaced_custom_object(GROUP, VERSION, self.namespace, plural))

    def all(self) -> dict[str, Json]:
        """The ImageSources by name."""
        return {body["metadata"]["name"]: body for body in self.list()["items"]}

    def changes(self, ended: Callable[[], bool]) -> Iterator[tuple[str, Json]]:
        """Yields each state of each ImageSource, with ADDED, MODIFIED or DELETED, until told that it is enough."""
        following, at = watch.Watch(), self.list()["metadata"]["resourceVersion"]
        while not ended():
            place = (self.api.custom.list_namespaced_custom_object, GROUP, VERSION, self.namespace, "imagesources")
            for event in following.stream(*place, resource_version=at, timeout_seconds=2):
                at = event["object"]["metadata"]["resourceVersion"]
                yield event["type"], event["object"]

    def patch(self, name: str, change: Json, plural: str = "imagesources") -> None:
        """Changes a resource by a JSON merge patch."""
        self.api.custom.patch_namespaced_custom_object(
            GROUP, VERSION, self.namespace, plural, name, change, _content_type="application/merge-patch+json"
        )

    def patch_secret(self, name: str, **values: str) -> None:
        """Changes values of a Secret."""
        self.api.core.patch_namespaced_secret(name, self.namespace, {"stringData": values})

    def delete(self, name: str) -> None:
        """Deletes an ImageSource and does not wait for its end."""
        self.api.custom.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, "imagesources", name)
