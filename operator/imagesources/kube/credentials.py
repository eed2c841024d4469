"""How the apiserver is reached: one reading of the kubeconfig (or the Pod's account) for kopf and for ourselves."""

import aiohttp
import kopf
from kubernetes.aio import client, config
from kubernetes.aio.client.rest import RESTClientObject

MANAGER = "imagesource-operator"
"""Our name in ``metadata.managedFields``, Events and the User-Agent."""

_CONNECTIONS = 100


async def read_configuration(kubeconfig: str | None) -> client.Configuration:
    """Read a kubeconfig; without one, the Pod's service account.

    Raises:
        kubernetes.aio.config.ConfigException: there is neither.
    """
    configuration = client.Configuration()
    if kubeconfig:
        await config.load_kube_config(kubeconfig, client_configuration=configuration)
    else:
        config.load_incluster_config(client_configuration=configuration)
    return configuration


async def open_session(kubeconfig: str | None) -> kopf.AiohttpSession:
    """Open the session that kopf watches with; a 401 makes it ask for another, with a fresh token."""
    configuration = await read_configuration(kubeconfig)
    headers = {"User-Agent": MANAGER}
    if token := await configuration.get_api_key_with_prefix("BearerToken", alias="authorization"):
        headers["Authorization"] = token
    connector = aiohttp.TCPConnector(ssl=RESTClientObject(configuration).ssl_context, limit=_CONNECTIONS)
    session = aiohttp.ClientSession(connector=connector, headers=headers)
    return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session)
