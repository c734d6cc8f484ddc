"""The line about when a training ends."""

import datetime

import pytest

from models.training.forecast import clock_time, duration, forecast, remaining

NOW = datetime.datetime(2026, 1, 5, 12, 0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (600, "10 min"), (7200, "2.0 h"), (200_000, "2.3 days"), (99.4, "99 s")]
)
def test_durations_have_a_unit_that_suits_them(seconds, text):
    assert duration(seconds) == text


def test_a_run_ends_with_its_epochs_or_its_minutes():
    by_epochs = forecast(2.0, 30, 1800, None, "plus", NOW)
    assert by_epochs == "about 60 s an epoch; the run ends after the last epoch, about Mon 05 Jan 13:00"
    assert forecast(2.0, 30, 1800, 7200.0, "plus", NOW) == by_epochs
    by_minutes = forecast(2.0, 30, 1800, 600.0, "plus", NOW)
    assert by_minutes.endswith("when the minutes are used up, about Mon 05 Jan 12:10")


def test_days_of_the_original_network_are_remarked():
    assert "small and plus" in forecast(95.0, 1000, 10_000, None, "faithful", NOW)
    assert "small and plus" not in forecast(95.0, 1000, 10_000, None, "plus", NOW)
    assert "small and plus" not in forecast(1.0, 1000, 10_000, None, "faithful", NOW)


def test_the_bar_tells_the_end_of_the_run():
    assert remaining(2.0, 1800, None) == 3600 and remaining(2.0, 1800, 600.0) == 600
    assert remaining(2.0, 1800, -5.0) == 0  # the last step may take longer than what was left
    ends = [clock_time(hours * 3600, NOW) for hours in (0.5, 11.9, 13, 24 * 5, 24 * 40)]
    assert ends == ["12:30", "23:54", "Tue 01:00", "Sat 12:00", "14 Feb 12:00"]
