"""Whatever traffic does, the alert tells a story that makes sense, and the same one every time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import Alert
from schemas.kpi import Quality
from schemas.settings import settings_from
from schemas.windows import MINUTE_MS
from streams.alerting.monitor import ConversionMonitor
from tests.unit.streams.conversion_floor import WEEK_MINUTES, Floor

SETTINGS = settings_from({"alerts": {"minimum_expected": 5}})
Stretch = tuple[int, int, Quality]

stretches = st.lists(
    st.tuples(st.sampled_from((0, 1, 20, 200)), st.integers(0, 12), st.sampled_from(("live", "live", "catching_up"))),
    min_size=1,
    max_size=12,
)
"""Forty minutes each: leads a minute, conversion in percent, quality."""


def story(plan: list[Stretch]) -> list[Alert]:
    history = 2 * WEEK_MINUTES
    leads, conversions = [20] * history, [1] * history
    for leads_a_minute, percent, _ in plan:
        leads += [leads_a_minute] * 40
        conversions += [leads_a_minute * percent // 100] * 40
    floor = Floor(leads, conversions)
    monitor = ConversionMonitor(SETTINGS)
    said: list[Alert] = []
    for index, (_, _, quality) in enumerate(plan):
        for minute in range(history + 40 * index, history + 40 * (index + 1)):
            now = monitor.evaluate("team=north", floor.counts, minute * MINUTE_MS, quality)
            assert quality == "live" or now == []
            said += now
    return said


@given(stretches)
@settings(max_examples=60, deadline=None)
def test_transitions_alternate_and_keep_their_identity(plan: list[Stretch]) -> None:
    said = story(plan)
    allowed = {
        None: {"firing", "no_data"},
        "firing": {"resolved", "no_data"},
        "resolved": {"firing", "no_data"},
        "no_data": {"resolved", "firing"},
    }
    before = None
    for alert in said:
        assert alert.state in allowed[before]
        before = alert.state
    assert len({alert.fingerprint for alert in said}) <= 1
    assert [alert.at for alert in said] == sorted({alert.at for alert in said})
    for alert in said:
        if alert.state == "firing":
            assert alert.value is not None
            assert alert.baseline is not None
            assert alert.value < 0.8 * alert.baseline
            assert (alert.z or 0) < -4


@given(stretches)
@settings(max_examples=20, deadline=None)
def test_the_same_counts_tell_the_same_story(plan: list[Stretch]) -> None:
    assert story(plan) == story(plan)
