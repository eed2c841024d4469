"""What of a request the platform says is wrong, as far as it says so in names that requests have.

A platform knows the secrets that it is sent, and a pointer of its own words could show them to who reads a status.
"""

from typing import Final

PROPERTIES: Final = frozenset(
    {
        *("about", "acl", "action", "all", "api_key", "args", "auth", "base64_config", "branch", "build"),
        *("build_file", "builder", "capabilities", "client_id", "config", "context_dir", "credentials"),
        *("description", "details", "existing", "expires", "extra", "flavor", "identifier", "integration_id"),
        *("key_id", "manage", "modify", "name", "namespace", "origin", "override", "passphrase", "password"),
        *("private_key", "rank", "ref", "region", "repo", "roles", "secret", "source_id", "specific"),
        *("subscription_id", "target", "targz_url", "token", "type", "url", "use_disk", "username", "value"),
        *("vendor", "view"),
    }
)
"""Every property in the body of a request (operations that are served)."""

PARAMETERS: Final = frozenset(
    {"filter", "include", "meta", "number", "page", "search", "size", "sort", "source_type", "state"}
)
"""The parts of the names of lists' parameters, such as ``filter[state]``, that are no properties too."""

_DEPTH = 8
_INDEX = 3
"""Digits of the index of an array's element."""


def known_part(pointer: object) -> str:
    """Return a JSON pointer (RFC 6901) up to the first part that no request has; "" if nothing is left."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        return ""
    found = ""
    for part in pointer.split("/")[1 : _DEPTH + 1]:
        is_index = part.isascii() and part.isdigit() and len(part) <= _INDEX
        if not (is_index or part in PROPERTIES or part in PARAMETERS):
            break
        found += f"/{part}"
    return found
