"""One line of an NDJSON file of events, read as far as replay needs it."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

import msgspec


class Line(msgspec.Struct, gc=False):
    """What replay must know of an event; all else is the pipeline's to judge. The second half is CloudEvents'."""

    event_type: str | None = None
    occurred_at: str | int | None = None
    account_id: Any = None
    specversion: str | None = None
    type: str | None = None
    time: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    data_base64: str | None = None


_DECODER: Final = msgspec.json.Decoder(Line)


def read_line(text: bytes) -> Line:
    """Read an event; of a CloudEvent what its data say goes before what its envelope says, as in intake.

    Raises:
        DecodeError, ValueError: It is no JSON object, or its fields are not what they should be.
    """
    line = _DECODER.decode(text)
    if line.specversion is None or line.event_type is not None:
        return line
    data = _DECODER.decode(line.data if line.data_base64 is None else b64decode(line.data_base64))
    moment = line.time if data.occurred_at is None else data.occurred_at
    return Line(data.event_type or line.type, moment, data.account_id)
