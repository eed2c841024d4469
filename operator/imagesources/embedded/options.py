"""What can be set on an embedded platform."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How an embedded platform behaves.

    Attributes:
        step_seconds: how long each step of a job takes; a person following a delete wants to see it move.
        mask_credentials: whether readers see credentials in origins as ``********``. The description does not
            say what the platform does, so both are offered.
        requests_per_second: how many requests one API key may make, with bursts of as many; 0 means any.
        fail_jobs: a fault for tests: the first so many jobs end in state ``error``, that of a source at its third step
            and others before they have an effect that lasts. The source stays ``deleting`` with ``state.error``, until
            the next DELETE starts a new job.
    """

    step_seconds: float = 0.2
    mask_credentials: bool = False
    requests_per_second: int = 0
    fail_jobs: int = 0
