"""Which host a credential would be sent to, as far as the body that it stands in tells. Pure.

What may be read in two ways is no host: whoever builds or pulls may read it the other way.
"""

from collections.abc import Mapping

from yarl import URL

DOCKER_HUB = "docker.io"
"""What an image belongs to that names no registry."""

_DEFAULT_PORTS = {"ssh": 22, "git": 9418}
"""Of the schemes that ``yarl`` does not know."""


def host_within(part: Mapping[str, object], outer: str | None, url: object) -> str | None:
    """Tell where what stands in an object goes: to the object's own address, else to that of the one around it.

    Args:
        part: an object of a body.
        outer: the host of the object around it.
        url: the object's ``url``; None: it has none.
    """
    if "url" in part:
        return host_of(url)
    if part.get("type") == "docker-hub":
        details = part.get("details")
        return registry_of(details.get("target") if isinstance(details, Mapping) else None)
    return outer


def registry_of(target: object) -> str | None:
    """Tell the registry of an image, such as ``nginx:1`` or ``registry.example.com/nginx``, as docker does."""
    if not isinstance(target, str) or not target:
        return None
    first, slash, _ = target.partition("/")
    names_host = slash and ("." in first or ":" in first or first == "localhost")
    return host_of(first) if names_host else DOCKER_HUB


def host_of(address: object) -> str | None:
    """Tell the host of an address, with its port where that is not the scheme's own; None: it has no clear one."""
    if not isinstance(address, str) or not all("!" <= letter <= "~" and letter != "\\" for letter in address):
        return None
    if "://" not in address:
        user, at, rest = address.partition("@")
        if at and not user.replace("-", "").replace("_", "").isalnum():
            return None
        # git's short form of ssh, user@host:path, has no port
        address = f"ssh://{rest.partition(':')[0]}" if at else f"https://{address}"
    try:
        url = URL(address)
        own = _DEFAULT_PORTS.get(url.scheme) or url.with_port(None).port
    except ValueError:
        return None
    host, port = url.raw_host, url.explicit_port
    return host if not host or port in (None, own) else f"{host}:{port}"
