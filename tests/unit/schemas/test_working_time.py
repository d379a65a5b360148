"""What the settings may say of working time: regions of holidays, hours, days of one's own."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import load_settings, settings_from
from schemas.working_time import holidays_in, parse_hours


def of_kpi(**kpi: Any) -> object:
    return settings_from({"kpi": kpi})


@pytest.mark.parametrize("region", ["", "DE", "DE-BY", "US-CA", "GB-SCT"])
def test_a_country_or_a_part_of_one_may_be_named(region: str) -> None:
    of_kpi(holidays=region)
    assert bool(holidays_in(region, 2024)) == bool(region)


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("Germany", r"salespulse\.toml: kpi\.holidays: found 'Germany'; .*; did you mean DE\?"),
        ("de", r"kpi\.holidays: found 'de'; allowed is a country such as DE, .*did you mean DE"),
        ("DE-BAYERN", r"found 'DE-BAYERN'; allowed is DE or a part of it: DE-BB, .*DE-BY"),
        ("DE-", r"found 'DE-'; allowed is DE or a part of it"),
        ("US-XX", r"found 'US-XX'; allowed is US or a part of it: .* and \d+ more"),
        ("VA-1", r"found 'VA-1'; allowed is VA, which is not divided"),
        ("12", r"found '12'; allowed is a country such as DE, or a part of one such as DE-BY"),
    ],
)
def test_a_region_nobody_knows_is_one_line_with_what_was_probably_meant(region: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        of_kpi(holidays=region)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "hours", [["09:00"], ["17:00", "09:00"], ["9:00", "17:00"], ["09:00", "24:30"], ["09:00", "09:00"], ["a", "b", "c"]]
)
def test_hours_are_two_times_of_a_day_in_order(hours: list[str]) -> None:
    with pytest.raises(
        SettingsError, match=r"kpi\.working_hours: found \[.*\]; allowed are two times of the day in order"
    ):
        of_kpi(working_hours=hours)


def test_hours_are_read_as_minutes_of_the_day() -> None:
    assert parse_hours([]) is None
    assert parse_hours(["09:00", "17:30"]) == (540, 1050)
    assert parse_hours(["00:00", "24:00"]) == (0, 1440)


def test_days_of_ones_own_are_dates_also_from_the_environment() -> None:
    found = load_settings(None, {"SALESPULSE_KPI__EXTRA_HOLIDAYS": '["2024-12-24"]', "SALESPULSE_KPI__HOLIDAYS": "DE"})
    assert found.kpi.extra_holidays == (date(2024, 12, 24),)
    with pytest.raises(SettingsError, match=r"kpi\.extra_holidays\[0\]: found '24\.12\.2024'; expected a date like"):
        of_kpi(extra_holidays=["24.12.2024"])
