"""The whole catalogue of kpis.md: formulas over measures, and the KPIs that need more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.oracle.accounts import Account, account_of
from tests.oracle.catalogue import CATALOGUE
from tests.oracle.contributions import Contribution, of_account
from tests.oracle.customers import of_customer
from tests.oracle.dimensions import Fact, facts_by_account
from tests.oracle.events import read
from tests.oracle.further_catalogue import FURTHER_CATALOGUE
from tests.oracle.kpis import Values, before, evaluate
from tests.oracle.occurrences import of_occurrences, of_spend
from tests.oracle.periods import Window, windows
from tests.oracle.pipeline import of_pipeline
from tests.oracle.rankings import abc, rankings, weakest_stages
from tests.oracle.stages import of_stages
from tests.oracle.targets import target_kpis
from tests.oracle.tracks import Tracks
from tests.oracle.worth import worth_kpis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.oracle.settings import OracleSettings


@dataclass(frozen=True)
class World:
    """All that a KPI can be computed from."""

    accounts: list[Account]
    without_account: list[Fact]
    found: list[Contribution]
    settings: OracleSettings
    now_ms: int
    windows: Mapping[str, Window]


def whole_catalogue(objects: Iterable[Mapping[str, Any]], settings: OracleSettings, now_ms: int) -> Values:
    """Like `kpis`, for all rows of kpis.md; rankings have `rank`, `weakest_stage` a `label`."""
    return values_of(world_of(objects, settings, now_ms))


def world_of(objects: Iterable[Mapping[str, Any]], settings: OracleSettings, now_ms: int) -> World:
    """Everything that events (in order of arrival) before a time of the clock say and add."""
    by_account = facts_by_account(read(before(objects, now_ms), settings))
    without_account = by_account.pop("", [])
    accounts = [account_of(facts, settings) for facts in by_account.values()]
    found = [step for account in accounts for step in further_contributions(account, settings)]
    found += of_spend(without_account, settings)
    return World(accounts, without_account, found, settings, now_ms, windows(now_ms, settings))


def values_of(world: World) -> Values:
    """Every series of every KPI, by its key."""
    tracks, settings, now_ms = Tracks(world.found), world.settings, world.now_ms
    values = evaluate((*CATALOGUE, *FURTHER_CATALOGUE), tracks, settings, now_ms)
    values |= rankings(values)
    values |= weakest_stages(tracks, world.windows)
    values |= abc(world.accounts, world.windows, settings)
    values |= worth_kpis(tracks, world.windows, settings, now_ms)
    return values | target_kpis(world.without_account, values, world.windows, settings, now_ms)


def further_contributions(account: Account, settings: OracleSettings) -> Iterator[Contribution]:
    """What an account adds to the measures of the whole catalogue."""
    yield from of_account(account, settings)
    yield from of_stages(account, settings)
    yield from of_pipeline(account, settings)
    yield from of_customer(account, settings)
    yield from of_occurrences(account, settings)
