"""What is written beside the graph in an ONNX file, read without the onnx package and without loading the graph."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

# The key of the number of inputs that share a step where the runtime quantises states; 0 for none.
GROUP: Final = "rasid.group"
# Fields of ModelProto and of StringStringEntryProto (onnx.proto).
_METADATA: Final = 14
_KEY: Final = 1
_VALUE: Final = 2


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file; of a file that is none, or broken, nothing.

    Raises:
        OSError: where it cannot be read.
    """
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            for number, content in _read_fields(file, path.stat().st_size, {_METADATA}):
                if number == _METADATA:
                    entry = dict(_read_fields(BytesIO(content), len(content), {_KEY, _VALUE}))
                    found[entry[_KEY].decode()] = entry.get(_VALUE, b"").decode()
    except (EOFError, KeyError, ValueError):
        return {}
    return found


def _read_fields(file: BinaryIO, size: int, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a protobuf message that have a length, content of the wanted ones alone."""
    while file.tell() < size:
        number, kind = divmod(_read_varint(file), 8)
        if kind == 0:
            _read_varint(file)
        elif kind == 2:
            length = _read_varint(file)
            if file.tell() + length > size:
                raise EOFError
            if number in wanted:
                yield number, file.read(length)
            else:
                file.seek(length, 1)
        else:
            raise ValueError(f"a field of kind {kind}, which these messages do not have")


def _read_varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number without an end")
