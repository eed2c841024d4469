"""How long to wait before something is tried again."""

_MOST_DOUBLINGS = 16
"""A float has its limits, and what goes on for days reaches them."""


def growing(failures: int, first: float, most: float) -> float:
    """Tell the delay in seconds before the next try.

    Args:
        failures: failures in a row before the newest one; from each to the next the delay doubles.
        first: the delay after the first failure, in seconds.
        most: the longest delay, in seconds.
    """
    return min(most, first * 2.0 ** min(failures, _MOST_DOUBLINGS))
