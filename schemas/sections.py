"""The settings as data: one struct for each table of ``salespulse.toml``, with its defaults and limits."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.durations import Duration, Least
from schemas.topics import Topics
from schemas.windows import HOUR_MS

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Positive = Annotated[int, Meta(ge=1)]
Name = Annotated[
    str, Meta(min_length=1, pattern=r"^[A-Za-z0-9._-]+$", description="letters, digits, dots, dashes and underscores")
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="three capital letters, like EUR")]
Share = Annotated[int, Meta(ge=0, le=100)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the settings file; unknown keys are refused."""


class App(_Section, frozen=True):
    """Who this installation is among others on the same servers."""

    id: Name = "salespulse"
    data_dir: str = ".salespulse"


class KafkaSecurity(_Section, frozen=True):
    """How clients prove who they are, and how the connection is encrypted."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""


class Kafka(_Section, frozen=True):
    """Where Kafka is, and how many partitions the topics get that are made by us."""

    bootstrap_servers: str = "localhost:9092"
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 8
    source_partitions: Annotated[int, Meta(ge=1, le=1000)] = 8
    replication_factor: Annotated[int, Meta(ge=1, le=9)] = 1
    idempotence: bool = True
    session_timeout: Annotated[Duration, Least(1_000)] = Duration(10_000)
    security: KafkaSecurity = KafkaSecurity()


class Redis(_Section, frozen=True):
    """Where the live view goes."""

    url: str = "redis://localhost:6379/0"
    prefix: Name = "salespulse"
    ttl: Duration = Duration(120_000)
    stream_length: Positive = 10_000


class Http(_Section, frozen=True):
    """Where the web server listens; with a token only its bearer is answered."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    token: str = ""


class Time(_Section, frozen=True):
    """The business's time zone and calendar, and how far events may be early or late."""

    zone: str = "UTC"
    week_start: Weekday = "monday"
    clock: Literal["wall", "event"] = "wall"
    out_of_orderness: Duration = Duration(10_000)
    future_skew: Duration = Duration(300_000)
    tick: Annotated[Duration, Least(50)] = Duration(1_000)


class Money(_Section, frozen=True):
    """The reporting currency, and what one major unit of another is worth in it."""

    currency: Currency = "USD"
    rates: dict[Currency, str | int | float] = {}


class Catalogue(_Section, frozen=True):
    """Which KPIs are computed (empty: all), and files with more of them."""

    include: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class KpiSettings(_Section, frozen=True):
    """What the definitions of KPIs leave to the business."""

    churn_horizon: Annotated[Duration, Least(HOUR_MS)] = Duration(90 * 86_400_000)
    mean_lifetime: Annotated[Duration, Least(HOUR_MS)] = Duration(730 * 86_400_000)
    abc_shares: tuple[Share, Share] = (80, 15)
    satisfaction_scale: Positive = 5
    stages: Annotated[tuple[str, ...], Meta(min_length=1)] = (
        "new",
        "contacted",
        "first_meeting",
        "proposal",
        "negotiation",
    )
    stage_limit: Duration = Duration(7 * 86_400_000)
    stage_limits: dict[str, Duration] = {}
    working_days: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
    working_hours: tuple[str, ...] = ()
    holidays: str = ""
    extra_holidays: tuple[date, ...] = ()
    points: dict[str, int] = {}


class Intake(_Section, frozen=True):
    """How events are taken in, and when intake gives up."""

    frame_events: Positive = 1_000
    pace: Duration = Duration(40)
    commit_interval: Annotated[Duration, Least(10)] = Duration(1_000)
    max_event_bytes: Positive = 262_144
    dead_letter_window: Positive = 1_000
    dead_letter_minimum: Positive = 100
    dead_letter_ratio: Annotated[float, Meta(gt=0, le=1)] = 0.5


class Pipeline(_Section, frozen=True):
    """How often values and checkpoints are written."""

    emit_interval: Annotated[Duration, Least(10)] = Duration(50)
    checkpoint_interval: Annotated[Duration, Least(50)] = Duration(2_500)
    dedupe_horizon: Annotated[Duration, Least(HOUR_MS)] = Duration(35 * 86_400_000)
    stale_after: Annotated[Duration, Least(10)] = Duration(10_000)


class Alerts(_Section, frozen=True):
    """When a drop of conversion is an alert."""

    tau: Annotated[float, Meta(ge=0, le=1)] = 0.10
    minimum_expected: Positive = 50
    baseline_floor: Annotated[float, Meta(ge=0, le=1)] = 0.0
    interval: Annotated[Duration, Least(15_000)] = Duration(60_000)  # of less, a minute is too long a gap


class Metrics(_Section, frozen=True):
    """Limits of the Prometheus exposition."""

    max_series: Positive = 10_000


class Wall(_Section, frozen=True):
    """What the wall page shows, and for how long; :mod:`schemas.playlist` reads the tables of the pages."""

    rotate: Duration = Duration(20_000)
    pages: tuple[dict[str, Any], ...] = ()


class Settings(_Section, frozen=True):
    """Everything that can be set; the defaults run against servers on this machine."""

    app: App = App()
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    redis: Redis = Redis()
    http: Http = Http()
    time: Time = Time()
    money: Money = Money()
    catalogue: Catalogue = Catalogue()
    kpi: KpiSettings = KpiSettings()
    intake: Intake = Intake()
    pipeline: Pipeline = Pipeline()
    alerts: Alerts = Alerts()
    metrics: Metrics = Metrics()
    wall: Wall = Wall()
