"""Whose services an integration can be of (schema ``IntegrationDefinition``).

Which vendors the platform knows is not described. Two are enough here: one that builds images, and one that does not.
"""

from typing import Final

from imagesources.platform.models import Json

BUILDS: Final = "image-builder"
"""What a vendor extends whose integrations can be the builder of a source."""


def _field(name: str, kind: str = "string") -> Json:
    return {"name": name, "required": False, "type": kind, "regex": None, "options": None}


def _vendor(vendor: str, name: str, url: str, extends: str, auth: Json) -> Json:
    return {
        "vendor": vendor,
        "name": name,
        "supports_verification": False,
        "supports_multiple": True,
        "required_fields": [],
        "features": None,
        "extends": [extends],
        "extended_configuration": None,
        "fields": {"auth": auth, "extra": None},
        "url": url,
        "public": True,
        "usable": True,
        "deprecated": False,
        "editable": True,
    }


VENDORS: Final[dict[str, Json]] = {
    entry["vendor"]: entry
    for entry in (
        _vendor("depot", "Depot", "https://depot.dev", BUILDS, {"api_key": _field("Token")}),
        _vendor("vultr", "Vultr", "https://www.vultr.com", "infrastructure-provider", {"api_key": _field("API key")}),
    )
}
"""The vendors by their name in integrations."""


def extending(category: str) -> tuple[str, ...]:
    """List the vendors whose integrations are of a category."""
    return tuple(vendor for vendor, definition in VENDORS.items() if category in definition["extends"])
