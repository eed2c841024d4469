"""The few requests that the operator makes beside kopf's watches."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from imagesources.kube.credentials import MANAGER, read_configuration
from imagesources.platform.transport import no_connection
from imagesources.reconcile.ports import Conflict, KubernetesError, Secret, Vanished
from imagesources.resources import ALLOWED_HOSTS_ANNOTATION, CREDENTIALS_LABEL, GROUP, VERSION
from imagesources.telemetry import tracing
from imagesources.telemetry.metrics import KUBERNETES_SECONDS, KUBERNETES_WRITES

Json = dict[str, Any]

_PAGE = 500
_TIMEOUT = 30.0
_LONGEST_WAIT = 300.0
"""Seconds of the longest wait that the apiserver may ask for."""
_MERGE_PATCH = "application/merge-patch+json"
_COORDINATION = ("coordination.k8s.io", "v1")
_CODES = {Conflict: "conflict", Vanished: "gone", KubernetesError: "failed"}
"""How a write that failed is counted."""

Fence = Callable[[], Awaitable[None]]
"""Awaited before whatever changes something; does not return where that is no longer allowed."""


async def unfenced() -> None:
    """Let everything pass: there is one operator only."""


class KubernetesApi:
    """A connection to one apiserver.

    Every method raises ``Conflict`` (409), ``Vanished`` (404) or ``KubernetesError`` (anything else).

    Attributes:
        fence: awaited before each write; see ``imagesources.kube.lease``.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        self.fence: Fence = unfenced
        self._client = client.ApiClient(configuration)
        self._custom = client.CustomObjectsApi(self._client)
        self._core = client.CoreV1Api(self._client)
        self._events = client.EventsV1Api(self._client)

    @classmethod
    async def connect(cls, kubeconfig: str | None) -> Self:
        """Connect with a kubeconfig, or with the Pod's service account. Does no request yet.

        Raises:
            NoClusterError: there is neither, or it cannot be used.
        """
        return cls(await read_configuration(kubeconfig))

    @property
    def server(self) -> str:
        """Name the apiserver: scheme, host and port."""
        return str(self._client.configuration.host)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def list(self, plural: str, namespace: str | None = None) -> AsyncIterator[Json]:
        """List resources of ours, page by page: in one namespace, or everywhere."""
        token: str | None = None
        while True:
            more: Json = {"limit": _PAGE, "_request_timeout": _TIMEOUT} | ({"_continue": token} if token else {})
            if namespace:
                request = self._custom.list_namespaced_custom_object(GROUP, VERSION, namespace, plural, **more)
            else:
                request = self._custom.list_cluster_custom_object(GROUP, VERSION, plural, **more)
            page: Any = await _answer(request)
            for item in page["items"]:
                yield item
            token = page["metadata"].get("continue")
            if not token:
                return

    async def namespace_labels(self) -> dict[str, Mapping[str, str]]:
        """Read the labels of all namespaces, by name."""
        found: Any = await _answer(self._core.list_namespace(_request_timeout=_TIMEOUT))
        return {item.metadata.name: item.metadata.labels or {} for item in found.items}

    async def get(self, plural: str, namespace: str, name: str) -> Json:
        """Read a resource of ours, live."""
        request = self._custom.get_namespaced_custom_object(
            GROUP, VERSION, namespace, plural, name, _request_timeout=_TIMEOUT
        )
        return dict(await _answer(request))

    async def patch(self, plural: str, namespace: str, name: str, body: Json, *, status: bool = False) -> Json:
        """Merge-patch a resource of ours, or its status (RFC 7396); an empty namespace means cluster scope."""
        await self.fence()
        scope = "namespaced" if namespace else "cluster"
        method = getattr(self._custom, f"patch_{scope}_custom_object{'_status' if status else ''}")
        place = (namespace, plural, name) if namespace else (plural, name)
        request = method(
            GROUP, VERSION, *place, body, field_manager=MANAGER, _content_type=_MERGE_PATCH, _request_timeout=_TIMEOUT
        )
        path = f"/apis/{GROUP}/{VERSION}/{'namespaces/{namespace}/' if namespace else ''}{plural}/{{name}}"
        target = f"{path}/status" if status else path
        return dict(await _write(request, "PATCH", plural, "status" if status else "metadata", target))

    async def read_secret(self, namespace: str, name: str) -> Secret | None:
        """Read a Secret's values; None: there is none. Values that are no UTF-8 are left out."""
        try:
            found: Any = await _answer(self._core.read_namespaced_secret(name, namespace, _request_timeout=_TIMEOUT))
        except Vanished:
            return None
        return Secret(
            uid=found.metadata.uid,
            resource_version=found.metadata.resource_version,
            labelled=is_labelled(found.metadata.labels or {}),
            type=found.type or "",
            values=_decoded(found.data or {}),
            allowed_hosts=allowed_hosts(found.metadata.annotations or {}),
        )

    async def create(self, plural: str, namespace: str, body: Json) -> Json:
        """Create a resource of ours; an empty namespace means cluster scope."""
        await self.fence()
        more: Json = {"field_manager": MANAGER, "_request_timeout": _TIMEOUT}
        if namespace:
            request = self._custom.create_namespaced_custom_object(GROUP, VERSION, namespace, plural, body, **more)
        else:
            request = self._custom.create_cluster_custom_object(GROUP, VERSION, plural, body, **more)
        return dict(await _answer(request))

    async def lease(self, namespace: str, name: str) -> Json:
        """Read a Lease (coordination.k8s.io/v1)."""
        request = self._custom.get_namespaced_custom_object(*_COORDINATION, namespace, "leases", name)
        return dict(await _answer(request))

    async def write_lease(self, namespace: str, body: Json) -> Json:
        """Replace the Lease that was read, at that very version; create it if it has none. No fence holds this."""
        more: Json = {"field_manager": MANAGER}
        metadata = body["metadata"]
        if "resourceVersion" in metadata:
            request = self._custom.replace_namespaced_custom_object(
                *_COORDINATION, namespace, "leases", metadata["name"], body, **more
            )
        else:
            request = self._custom.create_namespaced_custom_object(*_COORDINATION, namespace, "leases", body, **more)
        return dict(await _answer(request))

    async def create_event(self, namespace: str, body: Json) -> None:
        """Create an Event (events.k8s.io/v1)."""
        await self.fence()
        event: Any = body  # the generated client takes a plain object as well
        request = self._events.create_namespaced_event(
            namespace, event, field_manager=MANAGER, _request_timeout=_TIMEOUT
        )
        await _write(request, "POST", "events", "create", "/apis/events.k8s.io/v1/namespaces/{namespace}/events")


def is_labelled(labels: Mapping[str, str]) -> bool:
    """Tell whether a Secret's owner agrees to its use here."""
    return labels.get(CREDENTIALS_LABEL) == "true"


def allowed_hosts(annotations: Mapping[str, str]) -> frozenset[str] | None:
    """Read which hosts a Secret's owner allows; None: there is no such annotation, an empty one allows nothing."""
    text = annotations.get(ALLOWED_HOSTS_ANNOTATION)
    return None if text is None else frozenset(text.lower().replace(",", " ").split())


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    decoded = {}
    for key, value in data.items():
        try:
            decoded[key] = base64.b64decode(value).decode()
        except ValueError:
            continue
    return decoded


async def _write(request: Awaitable[object], method: str, resource: str, write: str, template: str) -> Any:  # noqa: ANN401 - as below
    """Count and trace a write, whatever becomes of it."""
    loop = asyncio.get_running_loop()
    begun, code = loop.time(), "cancelled"
    attributes = {"http.request.method": method, "url.template": template}
    with tracing.request(f"{method} {template}", attributes) as span:
        try:
            answer = await _answer(request)
            code = "ok"
        except KubernetesError as error:
            code = _CODES[type(error)]
            span.fail(code)
            raise
        finally:
            KUBERNETES_WRITES.labels(resource, write, code).inc()
            KUBERNETES_SECONDS.labels(resource).observe(loop.time() - begun)
    return answer


async def _answer(request: Awaitable[object]) -> Any:  # noqa: ANN401 - what the generated client returns
    try:
        return await request
    except ApiException as error:
        kind = {404: Vanished, 409: Conflict}.get(error.status or 0, KubernetesError)
        wait = _retry_after(error)
        raise kind(f"{error.status} {error.reason}", wait) from None  # the exception shows the body, and its values
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unanswered(error) from None


def _retry_after(error: ApiException) -> float:
    """Read for how many seconds the apiserver asks to be left alone (RFC 9110, 10.2.3; it never sends a date)."""
    text = (error.headers or {}).get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() else 0.0


def unanswered(error: Exception) -> KubernetesError:
    """Say in words of ours why a request got no answer."""
    match error:
        case aiohttp.ClientConnectorError():
            return KubernetesError(f"{error.host}:{error.port} cannot be reached ({no_connection(error)})")
        case TimeoutError():
            return KubernetesError("no answer in time")
    return KubernetesError(f"the connection broke ({type(error).__name__})")
