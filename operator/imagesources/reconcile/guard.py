"""What a Hub forbids before anything is sent. Pure."""

from imagesources.platform.models import Acl
from imagesources.reconcile.differences import only_widens
from imagesources.reconcile.model import Access, Problem, acl_of
from imagesources.resources.conditions import Reason
from imagesources.resources.hub import HubSpec
from imagesources.resources.imagesource import ImageSource, ManagementPolicy
from imagesources.resources.status import Pin


def objection(access: Access | None, hub: HubSpec) -> Problem | None:
    """Tell why a hub does not take a wished access list: it locks the operator out, or grants too much."""
    if access is None:
        return None
    if hub.operator_role and access.acl is not None and not _manages(access.acl, hub.operator_role):
        message = (
            f"spec.acl.roles takes manage from {hub.operator_role}, the operator's own role (operatorRole of the Hub), "
            "which would lock it out; grant it manage"
        )
        return Problem(Reason.ACCESS_REFUSED, message, permanent=True)
    if hub.maximum_acl and not only_widens(access.acl, acl_of(hub.maximum_acl)):
        message = "spec.acl grants more than maximumAcl of the Hub allows; grant less, or ask the Hub's owner"
        return Problem(Reason.ACCESS_REFUSED, message, permanent=True)
    return None


def unlisted(access: Access | None, hub: HubSpec) -> Problem | None:
    """Tell why a hub does not take a new source without an access list: that would be the widest of all."""
    if access is not None or hub.maximum_acl is None or hub.maximum_acl.unrestricted:
        return None
    message = "spec.acl is absent, so everybody could do everything, which is more than maximumAcl of the Hub; give acl"
    return Problem(Reason.ACCESS_REFUSED, message, permanent=True)


def unadoptable(hub: HubSpec) -> Problem | None:
    """Tell why a hub lets no resource have a source that it did not create."""
    if hub.allow_adoption:
        return None
    message = "spec.adopt: the Hub does not allow it (allowAdoption); remove it, or ask the Hub's owner"
    return Problem(Reason.ADOPTION_NOT_ALLOWED, message, permanent=True)


def unreferable(other: ImageSource, hub: HubSpec, pin: Pin) -> Problem | None:
    """Tell why an origin must not name the source of another resource: it would borrow what is not its namespace's.

    A resource that only observes may show a source of anybody's; naming it is naming a source by its id.
    """
    name = other.metadata.name
    if other.status.hub is None or other.status.hub.place != pin.place:
        message = f"ImageSource {name} belongs to another hub; name one of the same hub"
        return Problem(Reason.SOURCE_REF_ELSEWHERE, message, permanent=True)
    if other.spec.management_policy is ManagementPolicy.OBSERVE and not hub.allow_source_ids:
        message = f"ImageSource {name} only observes its source, and the Hub does not allow such sources to be named"
        return Problem(Reason.SOURCE_ID_NOT_ALLOWED, message, permanent=True)
    return None


def _manages(acl: Acl, role: str) -> bool:
    entry = acl.roles.get(role)
    return entry is not None and entry.manage
