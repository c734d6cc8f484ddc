"""When a training will end, told after its first steps."""

import datetime

STEPS = 8  # of an epoch that are timed, after FIRST
FIRST = 2  # steps that compile and fill the input
LONG = 2.0  # days from which a smaller preset is suggested


def duration(seconds: float) -> str:
    """A duration in the unit that suits it: 40 s, 12 min, 5.5 h, 3.1 days."""
    for unit, length, limit in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48)):
        if seconds < limit * length:
            return f"{seconds / length:.{0 if unit in ('s', 'min') else 1}f} {unit}"
    return f"{seconds / 86400:.1f} days"


def forecast(
    step_seconds: float, steps: int, steps_left: int, seconds_left: float | None, preset: str, now: datetime.datetime
) -> str:
    """One line: how long an epoch takes, and when the run ends.

    Args:
        step_seconds: time of a step.
        steps: of an epoch.
        steps_left: until the last epoch is done.
        seconds_left: until the minutes are used up; None without a limit.
        preset: of the run.
        now: the time.
    """
    left = step_seconds * steps_left
    by_minutes = seconds_left is not None and seconds_left < left
    left = seconds_left if by_minutes and seconds_left is not None else left
    end = now + datetime.timedelta(seconds=left)
    why = "when the minutes are used up" if by_minutes else "after the last epoch"
    line = f"about {duration(step_seconds * steps)} an epoch; the run ends {why}, about {end:%a %d %b %H:%M}"
    if left > LONG * 86400 and preset == "faithful":
        line += " (the presets small and plus have smaller networks)"
    return line
