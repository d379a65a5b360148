"""The table of the documentation is what a run made, and leaves no case out."""

from __future__ import annotations

from tests.faults.cases import CASES
from tests.faults.record import read
from tests.faults.table import README, RESULTS, render


def test_the_table_is_what_the_results_make() -> None:
    assert README.read_text() == render(read(RESULTS)), "run python -m tests.faults.table"


def test_every_case_has_run_and_passed() -> None:
    results = read(RESULTS)
    assert {result.case for result in results if result.outcome == "passed"} >= set(CASES)
    assert [result.test for result in results if result.outcome == "failed"] == []


def test_every_result_is_of_a_test_that_is_there() -> None:
    for result in read(RESULTS):
        path, _, name = result.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (README.parent / path).read_text(), result.test
