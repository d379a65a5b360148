"""The codec of the log's frames: msgpack of arrays, the quickest to write and to read of those measured."""

from __future__ import annotations

import msgspec

from schemas.rows import Frame

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Frame)


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame, about 100 a row."""
    return _ENCODER.encode(frame)


def decode_frame(data: bytes) -> Frame:
    """Read a frame.

    Raises:
        msgspec.MsgspecError: It is none; the log then was written by something else.
    """
    return _DECODER.decode(data)
