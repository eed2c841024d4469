"""The doctor's eyes: what it reads of a cluster beside what the operator reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client

from imagesources.kube.api import KubernetesApi, unanswered
from imagesources.kube.doctor.permissions import Permission
from imagesources.reconcile.ports import KubernetesError, Secret, Vanished

Json = dict[str, Any]

_SECONDS = 20.0
_AUTHORIZATION = "/apis/authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Read:
    """An answer of the apiserver: its document, and its headers in lower case."""

    body: Any
    headers: Mapping[str, str]


class Reader(KubernetesApi):
    """Reads a cluster, each Secret once; asks what an account may do. It writes nothing.

    Every method raises ``Vanished`` (404) or ``KubernetesError``.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        super().__init__(configuration)
        self._secrets: dict[tuple[str, str], Secret | None] = {}

    async def read(self, path: str, **query: str) -> Read:
        """GET a path."""
        return await self._ask("GET", path, query=query)

    async def read_secret(self, namespace: str, name: str) -> Secret | None:
        """Read a Secret's values; None: there is none."""
        if (namespace, name) not in self._secrets:
            self._secrets[namespace, name] = await super().read_secret(namespace, name)
        return self._secrets[namespace, name]

    async def who(self) -> str:
        """Tell who asks, as the apiserver sees it."""
        review = await self._ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", _review(None, None))
        return str(review.body["status"]["userInfo"]["username"])

    async def may(self, permission: Permission, verb: str, namespace: str, name: str, account: str) -> bool:
        """Tell whether something is allowed to an account (``namespace:name``), or to who asks (empty)."""
        resource, _, subresource = permission.resource.partition("/")
        target = {"group": permission.group, "resource": resource, "subresource": subresource, "verb": verb}
        body = _review(target | {"namespace": namespace, "name": name}, account)
        kind = "subjectaccessreviews" if account else "selfsubjectaccessreviews"
        return bool((await self._ask("POST", f"{_AUTHORIZATION}/{kind}", body)).body["status"]["allowed"])

    async def _ask(
        self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None
    ) -> Read:
        try:
            request = await self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*request, _request_timeout=_SECONDS)
            text = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error) from None
        if answer.status >= 300:
            raise (Vanished if answer.status == 404 else KubernetesError)(f"{answer.status} {answer.reason}")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Read(json.loads(text), headers)


def _review(target: Json | None, account: str | None) -> Json:
    if target is None:
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    spec: Json = {"resourceAttributes": target}
    if account:
        namespace = account.partition(":")[0]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        spec |= {"user": f"system:serviceaccount:{account}", "groups": groups}
    kind = "SubjectAccessReview" if account else "SelfSubjectAccessReview"
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
