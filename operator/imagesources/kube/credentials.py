"""How the apiserver is reached: one reading of the kubeconfig (or the Pod's account) for kopf and for ourselves."""

import os
import ssl
from pathlib import Path

import aiohttp
import kopf
import yaml
from kubernetes.aio import client, config
from kubernetes.aio.client.rest import RESTClientObject

MANAGER = "imagesource-operator"
"""Our name in ``metadata.managedFields``, Events and the User-Agent."""

_CONNECTIONS = 100
_NO_KUBECONFIG = (yaml.YAMLError, TypeError, AttributeError, KeyError, ValueError)
"""What the client raises at a file that is no kubeconfig, depending on what it is instead."""


class NoClusterError(Exception):
    """There is no way to the cluster; says why, and what to do."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no way to the cluster: {why}; give --kubeconfig or set KUBECONFIG")


async def read_configuration(kubeconfig: str | None) -> client.Configuration:
    """Read a kubeconfig; without one, the Pod's service account.

    Raises:
        NoClusterError: there is neither, or it cannot be used; shows nothing that a kubeconfig holds.
    """
    if missing := _missing(kubeconfig):
        raise NoClusterError(f"{' and '.join(missing)} {'do' if missing[1:] else 'does'} not exist")
    what = kubeconfig or "the Pod's service account"
    try:
        return await _load(kubeconfig)
    except config.ConfigException as error:
        why = str(error).removeprefix("Invalid kube-config file. ").partition(" in ")[0].rstrip(".")  # then it is shown
        raise NoClusterError(f"{what} cannot be used ({why})" if kubeconfig else _nothing_given(why)) from None
    except ssl.SSLError as error:
        raise NoClusterError(f"a certificate or key of {what} cannot be used ({error.reason})") from None
    except aiohttp.ClientError:
        raise NoClusterError(f"the identity provider that {what} names does not answer") from None
    except OSError as error:
        raise NoClusterError(f"{error.filename or what} cannot be read ({error.strerror})") from None
    except _NO_KUBECONFIG:
        raise NoClusterError(f"{what} is not a kubeconfig") from None


def _missing(kubeconfig: str | None) -> list[str]:
    """List the files of a kubeconfig, if none of them is there: of several, some may be missing."""
    paths = list(filter(None, (kubeconfig or "").split(os.pathsep)))
    return [] if any(Path(path).exists() for path in paths) else paths


def _nothing_given(why: str) -> str:
    return f"no kubeconfig is given, and there is no service account of a Pod ({why})"


async def _load(kubeconfig: str | None) -> client.Configuration:
    """Load everything; certificates are read too, so that all that is wrong comes out here."""
    configuration = client.Configuration()
    if kubeconfig:
        await config.load_kube_config(kubeconfig, client_configuration=configuration)
    else:
        config.load_incluster_config(client_configuration=configuration)
    RESTClientObject(configuration)
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
