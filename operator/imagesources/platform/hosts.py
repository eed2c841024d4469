"""Which hosts requests may be sent to: the administrator decides, whoever writes a Hub does not. Pure."""

from dataclasses import dataclass
from ipaddress import ip_address

from yarl import URL


@dataclass(frozen=True)
class HostPolicy:
    """Which platforms may be called at all.

    Attributes:
        official: the host that is always allowed, with https on its default port.
        allow_hosts: HOST (on the scheme's default port) or HOST:PORT, from ``--allow-host``.
        allow_http: plain http to allowed hosts that are loopback addresses, from ``--allow-http``.
    """

    official: str = "api.cycle.io"
    allow_hosts: tuple[str, ...] = ()
    allow_http: bool = False

    def objection(self, url: str) -> str:
        """Returns why this URL must not be called, naming the flag that would allow it, or ""."""
        target = origin_of(url)
        if target is None:
            return "the url must be https://HOST or https://HOST:PORT and nothing more"
        place = target.host_port_subcomponent  # without the scheme's default port
        if target.scheme == "http" and not _is_loopback(target.raw_host or ""):
            return "plain http is possible on loopback only: use https"
        allowed = [origin_of(f"{target.scheme}://{host}") for host in self.allow_hosts]
        official = target.scheme == "https" and place == self.official
        if not official and place not in [host.host_port_subcomponent for host in allowed if host]:
            return f"{place} is not allowed: the operator needs --allow-host {place}"
        if target.scheme == "http" and not self.allow_http:
            return "plain http is not allowed: the operator needs --allow-http"
        return ""


def origin_of(url: str) -> URL | None:
    """Returns scheme, host and port; None if the URL is broken or says more than that."""
    if not is_printable(url):  # a URL parser would drop newlines silently
        return None
    try:
        target = URL(url)
        origin = target.origin()
    except ValueError:
        return None
    says_more = target.user is not None or target.password is not None or target.path != "/" or target.query_string
    return None if origin.scheme not in ("http", "https") or says_more or target.fragment else origin


def is_place(text: str) -> bool:
    """Tells whether a text is HOST or HOST:PORT, and so can be the place of some URL."""
    return "*" not in text and origin_of(f"https://{text}") is not None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_printable(text: str) -> bool:
    """Tells whether there is something, in visible ASCII alone: nothing that could end a header line."""
    return text != "" and all("!" <= character <= "~" for character in text)
