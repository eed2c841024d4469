"""What the operator tells of itself: metrics, log lines, traces. All names are here, none is spelled elsewhere."""

from imagesources.telemetry.logs import log, set_up_logging

__all__ = ["log", "set_up_logging"]
