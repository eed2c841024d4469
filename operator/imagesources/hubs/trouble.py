"""What is wrong with a hub as a whole: it concerns all of its sources, and one probe looks after it for all."""

from dataclasses import dataclass

from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.resources.conditions import Reason

_OF_CODE = {
    "404.hub": (Reason.WRONG_HUB, "the platform does not know the hub; check spec.platform.hubId of the Hub"),
    "403.wrong-hub": (Reason.WRONG_HUB, "the API key belongs to another hub; check spec.platform of the Hub"),
    "403.mismatch": (Reason.WRONG_HUB, "the API key does not fit the hub; check spec.platform of the Hub"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a hub cannot be used, in words that say what to do."""

    reason: Reason
    message: str


def trouble_of(error: PlatformError, url: str) -> Trouble | None:
    """Tell whether a failed call says something about the whole hub; None: it concerns that call alone."""
    match error:
        case NotSent():
            message = f"{url} cannot be reached ({error.message}); check the Hub's url and the network"
            return Trouble(Reason.PLATFORM_UNREACHABLE, message)
        case Refused(status=401):
            message = f"the platform does not accept the API key ({error.code}); renew it in the Hub's Secret"
            return Trouble(Reason.KEY_REJECTED, message)
        case Refused(code=code) if code in _OF_CODE:
            reason, message = _OF_CODE[code]
            return Trouble(reason, f"{message} ({code})")
    return None


def trouble_listing(error: PlatformError, url: str) -> Trouble:
    """Tell why the hub's sources cannot be listed: here every failure concerns the whole hub."""
    if found := trouble_of(error, url):
        return found
    match error:
        case Refused(status=429):
            return Trouble(Reason.RATE_LIMITED, "the platform asks to wait; nothing to do")
        case Refused(status=403):
            lacks = error.capability or "images-sources-view"
            return Trouble(Reason.FORBIDDEN, f"the API key may not list sources; give it the capability {lacks}")
        case Unanswered():
            message = f"{url} does not answer usably ({error.message}); the operator keeps trying"
            return Trouble(Reason.PLATFORM_UNREACHABLE, message)
    return Trouble(Reason.REFUSED, f"the platform refuses to list sources: {error.message}")
