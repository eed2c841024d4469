"""The platform's Image Sources API as a server of our own, over real HTTP, from SQLite or PostgreSQL."""

from imagesources.embedded.access import ALL, Capability
from imagesources.embedded.hubs import EmbeddedHubs
from imagesources.embedded.options import Options
from imagesources.embedded.server import EmbeddedPlatform
from imagesources.embedded.tls import TlsFiles

__all__ = ["ALL", "Capability", "EmbeddedHubs", "EmbeddedPlatform", "Options", "TlsFiles"]
