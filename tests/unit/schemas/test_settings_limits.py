"""Values of settings that would stop, drown or empty the product are refused, with what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.durations import duration_text, parse_duration
from schemas.errors import SettingsError
from schemas.settings import load_settings, settings_from


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"redis": {"ttl": "0s"}}, "redis.ttl: found 0s; allowed is 3s or more, which is 3 times time.tick"),
        ({"redis": {"ttl": "20s"}, "time": {"tick": "10s"}}, "redis.ttl: found 20s; allowed is 30s or more"),
        ({"time": {"tick": "0s"}}, "time.tick: found 0s; allowed is 50ms or more"),
        ({"kafka": {"session_timeout": "0s"}}, "kafka.session_timeout: found 0s; allowed is 1s or more"),
        ({"intake": {"commit_interval": "0s"}}, "intake.commit_interval: found 0s; allowed is 10ms or more"),
        ({"pipeline": {"emit_interval": "0s"}}, "pipeline.emit_interval: found 0s; allowed is 10ms or more"),
        ({"pipeline": {"checkpoint_interval": "0s"}}, "pipeline.checkpoint_interval: found 0s; allowed is 50ms or"),
        ({"pipeline": {"dedupe_horizon": "10m"}}, "pipeline.dedupe_horizon: found 10m; allowed is 1h or more"),
        ({"pipeline": {"stale_after": "0s"}}, "pipeline.stale_after: found 0s; allowed is 10ms or more"),
        ({"alerts": {"interval": "0s"}}, "alerts.interval: found 0s; allowed is 15s or more"),
        ({"kpi": {"churn_horizon": "0d"}}, "kpi.churn_horizon: found 0s; allowed is 1h or more"),
        ({"kpi": {"mean_lifetime": "0d"}}, "kpi.mean_lifetime: found 0s; allowed is 1h or more"),
        ({"kpi": {"abc_shares": [-5, 15]}}, "kpi.abc_shares[0]: found -5; expected `int` >= 0"),
        ({"kpi": {"abc_shares": [90, 15]}}, "kpi.abc_shares: found [90, 15]; allowed is what adds up to 100 at most"),
        ({"kpi": {"stages": []}}, "kpi.stages: found []; expected `array` of length >= 1"),
        ({"topics": {"log": ""}}, "topics.log: found ''; expected `str` matching regex"),
        ({"topics": {"log": "a b"}}, "topics.log: found 'a b'; expected `str` matching regex"),
        (
            {"topics": {"updates": "kpis", "latest": "kpis"}},
            "topics.latest: found 'kpis', as topics.updates is; allowed is a topic of its own",
        ),
    ],
)
def test_a_value_out_of_its_limits_is_one_line_with_key_found_and_allowed(
    document: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from(document)
    assert str(refused.value).startswith(f"salespulse.toml: {message}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("TIME__TICK", "0s", "time.tick: found 0s"),
        ("KPI__ABC_SHARES", "[-5, 15]", "kpi.abc_shares[0]: found -5"),
        ("TOPICS__LOG", "", "topics.log: found ''"),
        ("TOPICS__LATEST", "sales.kpi.updates.v1", "topics.latest: found 'sales.kpi.updates.v1', as topics.updates is"),
    ],
)
def test_a_value_of_the_environment_is_named_by_its_variable(variable: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(None, {f"SALESPULSE_{variable}": text})
    assert str(refused.value).startswith(f"environment SALESPULSE_{variable}: {message}")


def test_short_ones_and_names_that_look_like_numbers_are_taken() -> None:
    document = {
        "redis": {"ttl": "600ms"},
        "time": {"tick": "100ms", "out_of_orderness": "0s", "future_skew": "0s"},
        "intake": {"pace": "0s"},
        "wall": {"rotate": "0s"},
    }
    assert settings_from(document).redis.ttl == 600
    assert load_settings(None, {"SALESPULSE_TOPICS__LOG": "12"}).topics.log == "12"


@pytest.mark.parametrize("text", ["0s", "1ms", "500ms", "90s", "2m", "36h", "90d"])
def test_a_length_of_time_is_written_as_it_is_read(text: str) -> None:
    assert duration_text(parse_duration(text)) == text
