"""What kstatus (``kubectl wait``, Helm, Flux, Argo CD) makes of a resource, in kstatus's own order of questions."""

from enum import StrEnum

from imagesources.resources.imagesource import ImageSource


class Verdict(StrEnum):
    """The words of kstatus."""

    TERMINATING = "Terminating"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"


def kstatus(resource: ImageSource) -> Verdict:
    """Computes the status of a resource."""
    metadata, status = resource.metadata, resource.status
    said = {condition.type: condition.status for condition in status.conditions}
    if metadata.deletion_timestamp:
        return Verdict.TERMINATING
    if status.observed_generation != metadata.generation or said.get("Reconciling") == "True":
        return Verdict.IN_PROGRESS
    if said.get("Stalled") == "True":
        return Verdict.FAILED
    return Verdict.CURRENT if said.get("Ready", "True") == "True" else Verdict.IN_PROGRESS
