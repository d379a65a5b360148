import json
from base64 import b64encode
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decode import decode, instant_ms
from schemas.errors import UsageError
from schemas.settings import settings_from
from streams.intake.normalise import Normaliser
from streams.mapping.csv_file import DataFileError
from streams.mapping.event_files import EventFiles


def event(number: int, at: object, **fields: object) -> dict[str, object]:
    return {"event_id": f"e-{number}", "event_type": "deal.won", "occurred_at": at, "account_id": "a-1", **fields}


def ndjson(path: Path, *events: Mapping[str, object]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in events))
    return path


def ids(files: EventFiles, position: int = 0) -> list[str]:
    return [json.loads(outgoing.value)["event_id"] for outgoing in files.since(position)]


def test_events_of_several_files_come_in_order_of_event_time_and_as_they_stand(tmp_path: Path) -> None:
    one = ndjson(tmp_path / "1.ndjson", event(1, 5000), event(2, "1970-01-01T00:00:02Z"))
    two = ndjson(tmp_path / "2.jsonl", event(3, "1970-01-01T01:00:03+01:00"), event(4, 5000))
    files = EventFiles([one, two])
    assert ids(files) == ["e-2", "e-3", "e-1", "e-4"]
    assert ids(files, 2) == ["e-1", "e-4"]
    assert [outgoing.at_ms for outgoing in files.since(0)] == [2000, 3000, 5000, 5000]
    assert len(files) == 4
    assert {outgoing.value + b"\n" for outgoing in files.since(0)} == {
        *one.read_bytes().splitlines(keepends=True),
        *two.read_bytes().splitlines(keepends=True),
    }


def test_files_without_events_are_passed_over(tmp_path: Path) -> None:
    numbers = [[], [1, 2], [], [], [3], []]
    paths = [ndjson(tmp_path / f"{place}.ndjson", *(event(n, n) for n in found)) for place, found in enumerate(numbers)]
    assert ids(EventFiles(paths)) == ["e-1", "e-2", "e-3"]


@pytest.mark.parametrize(
    "moment", ["2025-03-31t17:00:00z", "2025-03-31T17:00:00.0006Z", "2025-03-31T17:00:00.999999+02:00", 0, 1 << 52]
)
def test_times_are_read_as_intake_reads_them(tmp_path: Path, moment: str | int) -> None:
    files = EventFiles([ndjson(tmp_path / "e.ndjson", event(1, moment))])
    assert [outgoing.at_ms for outgoing in files.since(0)] == [instant_ms(moment)]


def test_source_topic_and_key_come_from_the_event(tmp_path: Path) -> None:
    spend = {"event_id": "s", "event_type": "spend.recorded", "occurred_at": 1, "amount": 1, "category": "sales"}
    wrapped = {
        "specversion": "1.0",
        "id": "c",
        "type": "web.visit",
        "time": "1970-01-01T00:00:09Z",
        "data": {"account_id": "a-9"},
    }
    files = EventFiles([ndjson(tmp_path / "e.ndjson", spend, event(1, 2), wrapped)])
    assert [(outgoing.source, outgoing.key) for outgoing in files.since(0)] == [
        ("spend", None),
        ("deals", b"a-1"),
        ("web", b"a-9"),
    ]


CLOUD_EVENT = {"specversion": "1.0", "id": "c", "source": "/crm", "type": "web.visit"}
INSIDE = {"account_id": "a-9", "occurred_at": "1970-01-01T00:00:09Z"}


@pytest.mark.parametrize(
    ("written", "source", "key"),
    [
        (b"\xef\xbb\xbf" + orjson.dumps(event(1, 9_000, deal_id="d")), "deals", b"a-1"),
        (orjson.dumps({**CLOUD_EVENT, "data": INSIDE}), "web", b"a-9"),
        (orjson.dumps({**CLOUD_EVENT, "time": "1970-01-01T00:00:01Z", "data": INSIDE}), "web", b"a-9"),
        (orjson.dumps({**CLOUD_EVENT, "data": {**INSIDE, "event_type": "call.completed"}}), "calls", b"a-9"),
        (orjson.dumps({**CLOUD_EVENT, "data_base64": b64encode(orjson.dumps(INSIDE)).decode()}), "web", b"a-9"),
        (orjson.dumps(event(1, 9_000, deal_id="d", specversion="1.0")), "deals", b"a-1"),
    ],
)
@pytest.mark.parametrize("name", ["e.ndjson", "e.txt", "events", "e.log"])
def test_what_intake_takes_is_sent_from_a_file_of_any_name(
    tmp_path: Path, written: bytes, source: str, key: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(written)
    (sent,) = EventFiles([path]).since(0)
    assert (sent.source, sent.key, sent.at_ms, sent.value) == (source, key, 9_000, written.removeprefix(BOM_UTF8))
    row = Normaliser(settings_from({})).row(decode(sent.value), 0, 0, 10_000)
    assert (row.at_ms, row.account.encode()) == (sent.at_ms, sent.key)


def test_empty_files_and_lines_hold_no_events(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    path.write_text("")
    assert len(EventFiles([path])) == 0
    path.write_text("\n" + json.dumps(event(1, 7)))  # and no line break at the end
    assert ids(EventFiles([path])) == ["e-1"]


def test_the_fingerprint_is_of_the_content_not_of_the_name(tmp_path: Path) -> None:
    one = EventFiles([ndjson(tmp_path / "1.ndjson", event(1, 1))])
    same = EventFiles([ndjson(tmp_path / "2.ndjson", event(1, 1))])
    other = EventFiles([ndjson(tmp_path / "3.ndjson", event(2, 1))])
    assert one.fingerprint("kafka") == same.fingerprint("kafka")
    assert len({one.fingerprint("kafka"), one.fingerprint("other kafka"), other.fingerprint("kafka")}) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "line 2: not an event in JSON"),
        ("[]", "line 2: not an event in JSON"),
        ('{"specversion": "1.0", "data_base64": "e"}', "line 2: not an event in JSON"),
        ('{"specversion": "1.0", "type": "web.visit", "data": "{}"}', "line 2: not an event in JSON"),
        ('{"specversion": "1.0", "type": "web.visit"}', "line 2, occurred_at: found nothing"),
        (
            '{"event_type": "deal.gone", "occurred_at": 1}',
            "line 2, event_type: found deal.gone; allowed: an event type",
        ),
        ('{"event_type": "deal.won"}', "line 2, occurred_at: found nothing; allowed: RFC 3339"),
        (
            '{"event_type": "deal.won", "occurred_at": "2025-03-31 17:00"}',
            'found "2025-03-31 17:00"; allowed: RFC 3339',
        ),
        ('{"event_type": "deal.won", "occurred_at": -5}', "occurred_at: found -5; allowed: a time from 1970 on"),
        (
            '{"event_type": "deal.won", "occurred_at": 1' + "0" * 30 + "}",
            "allowed: milliseconds below 9007199254740992",
        ),
    ],
)
def test_a_line_that_cannot_be_placed_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = ndjson(tmp_path / "e.ndjson", event(1, 1))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataFileError) as caught:
        EventFiles([path])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_csv_file_without_mapping_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"deals.csv: found .csv; .*--mapping"):
        EventFiles([tmp_path / "deals.csv"])
    with pytest.raises(DataFileError, match="no such file"):
        EventFiles([tmp_path / "deals.ndjson"])


@given(times=st.lists(st.integers(min_value=0, max_value=50), max_size=40), split=st.integers(0, 40))
def test_order_is_that_of_a_stable_sort_by_time(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], split: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("events")
    events = [event(number, at) for number, at in enumerate(times)]
    files = EventFiles([ndjson(tmp_path / "1.ndjson", *events[:split]), ndjson(tmp_path / "2.ndjson", *events[split:])])
    expected = [number for number, _ in sorted(enumerate(times), key=lambda pair: pair[1])]
    assert ids(files) == [f"e-{number}" for number in expected]
