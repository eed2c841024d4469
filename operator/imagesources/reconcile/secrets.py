"""Put credentials into a body, at the last moment before it is sent."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from imagesources.reconcile.hosts import host_of, host_within
from imagesources.reconcile.model import FromSecret, Problem
from imagesources.reconcile.ports import Secret, SecretReader
from imagesources.resources import CREDENTIALS_LABEL
from imagesources.resources.conditions import Reason

DOCKER_CONFIG = ".dockerconfigjson"
"""The key of a Secret of type kubernetes.io/dockerconfigjson; it holds user names and passwords by registry."""

_ADDRESSES = {"url", "targz_url"}
"""What is a credential because it is an address that has one in it."""


class SecretUnusableError(Exception):
    """A Secret cannot be used; the message names the field, the Secret and the fix, never a value."""

    def __init__(self, path: str, message: str, reason: Reason = Reason.SECRET_MISSING) -> None:
        super().__init__(message)
        self.problem = Problem(reason, f"{path}: {message}")


async def fill(body: Mapping[str, Any], namespace: str, kube: SecretReader) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Replace every ``FromSecret`` in a body by its value.

    Returns:
        The body to send, and the Secrets that were read, by name.

    Raises:
        SecretUnusableError: a Secret, a key or the label is missing, or its owner does not allow the host.
        KubernetesError: the Secret cannot be read.
    """
    read: dict[str, Secret] = {}

    async def put(value: Any, host: str | None) -> Any:  # noqa: ANN401 - any JSON
        match value:
            case FromSecret():
                if value.name not in read:
                    read[value.name] = await _read(value, namespace, kube)
                return _picked(value, read[value.name], host)
            case Mapping():
                inside = host_within(value, host, await put(value.get("url"), host))
                return {key: await put(part, inside) for key, part in value.items()}
            case list():
                return [await put(part, host) for part in value]
        return value

    return {key: await put(part, None) for key, part in body.items()}, read


async def _read(ref: FromSecret, namespace: str, kube: SecretReader) -> Secret:
    secret = await kube.read_secret(namespace, ref.name)
    if secret is None:
        missing = f"Secret {ref.name} does not exist in namespace {namespace}"
        raise SecretUnusableError(ref.path, f'{missing}; create it, labelled {CREDENTIALS_LABEL}: "true"')
    if not secret.labelled:
        message = f'Secret {ref.name} is not labelled {CREDENTIALS_LABEL}: "true", its owner\'s consent; label it'
        raise SecretUnusableError(ref.path, message)
    return secret


def _picked(ref: FromSecret, secret: Secret, host: str | None) -> str:
    """Pick a value, if it may be sent where it would be; an address goes to the host that it names itself."""
    value = _pick(ref, secret)
    if objection := secret.objection(ref.name, host_of(value) if ref.wanted in _ADDRESSES else host):
        message = f"{objection}; correct the address, or have the Secret's owner add the host"
        raise SecretUnusableError(ref.path, message, Reason.SECRET_NOT_FOR_HOST)
    return value


def _pick(ref: FromSecret, secret: Secret) -> str:
    if ref.key not in secret.values:
        raise SecretUnusableError(ref.path, f"Secret {ref.name} has no key {ref.key}; add it or name another")
    value = secret.values[ref.key]
    return _from_docker_config(ref, value) if ref.key == DOCKER_CONFIG else value


def _from_docker_config(ref: FromSecret, text: str) -> str:
    """Take user name or password out of a docker configuration that knows one registry."""
    try:
        (entry,) = json.loads(text)["auths"].values()
        username, _, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
        found = entry.get("username", username) if ref.wanted == "username" else entry.get("password", password)
        if isinstance(found, str) and found:
            return found
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    message = (
        f"Secret {ref.name}, key {ref.key}: expected a docker configuration with exactly one registry in auths, "
        "with user name and password"
    )
    raise SecretUnusableError(ref.path, message)
