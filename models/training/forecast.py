"""When a training will end, told after its first steps and in its progress bar."""

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


def remaining(step_seconds: float, steps_left: int, seconds_left: float | None) -> float:
    """Seconds to the end of a run.

    Args:
        step_seconds: time of a step.
        steps_left: until the last epoch is done.
        seconds_left: until the minutes are used up; None without a limit.
    """
    left = step_seconds * steps_left
    return left if seconds_left is None else max(min(left, seconds_left), 0.0)


def clock_time(seconds: float, now: datetime.datetime) -> str:
    """The time in so many seconds: 14:32 today, Sat 14:32 within a week, else 03 Dec 14:32."""
    end = now + datetime.timedelta(seconds=seconds)
    if end.date() == now.date():
        return f"{end:%H:%M}"
    return f"{end:%a %H:%M}" if end - now < datetime.timedelta(days=6) else f"{end:%d %b %H:%M}"


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
    left = remaining(step_seconds, steps_left, seconds_left)
    why = "when the minutes are used up" if left < step_seconds * steps_left else "after the last epoch"
    end = now + datetime.timedelta(seconds=left)
    line = f"about {duration(step_seconds * steps)} an epoch; the run ends {why}, about {end:%a %d %b %H:%M}"
    if left > LONG * 86400 and preset == "faithful":
        line += " (the presets small and plus have smaller networks)"
    return line
