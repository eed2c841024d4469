"""Cuts a failing schedule down: faults and actions of people that it does not need for failing are left out."""

from tests.simulation.play import play
from tests.simulation.schedule import Schedule

_MOST_ACTIONS = 5


def shrunk(seed: int) -> Schedule:
    """Leave out one thing after the other as long as the same invariant fails; returns a schedule not run yet.

    Raises:
        ValueError: the seed does not fail.
    """
    whole = Schedule(seed)
    wanted = _failure(whole)
    if not wanted:
        raise ValueError(f"seed {seed} does not fail")
    faults: frozenset[int] = frozenset()
    actions: frozenset[int] = frozenset()
    for number in range(whole.numbered):
        fewer = faults | {number}
        if _failure(Schedule(seed, without_faults=fewer)) == wanted:
            faults = fewer
    for number in range(_MOST_ACTIONS):
        fewer = actions | {number}
        if _failure(Schedule(seed, without_faults=faults, without_actions=fewer)) == wanted:
            actions = fewer
    return Schedule(seed, without_faults=faults, without_actions=actions)


def replay_command(schedule: Schedule) -> str:
    """Write the command that runs a schedule again."""
    words = [f"python -m tests.simulation.run --replay {schedule.seed}"]
    if schedule.without_faults:
        words.append("--without-faults " + ",".join(map(str, sorted(schedule.without_faults))))
    if schedule.without_actions:
        words.append("--without-actions " + ",".join(map(str, sorted(schedule.without_actions))))
    return " ".join(words)


def _failure(schedule: Schedule) -> str:
    """Tell by what invariant a schedule fails, in its first word; "": by none."""
    try:
        play(schedule)
    except Exception as error:
        return str(error).split(":", maxsplit=1)[0].split(" ")[0] or type(error).__name__
    return ""
