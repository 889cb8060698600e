"""The errors that tell a user where the data is wrong."""

from __future__ import annotations


class DataError(ValueError):
    """Something in the user's data is wrong; the message says in which file, line and column.

    Args:
        message: what is wrong, in one sentence.
        source: file name or document id.
        line: 1-based line in the source.
        column: 1-based column (characters) in the line.
    """

    def __init__(
        self, message: str, *, source: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        """Keep the parts and put the message together."""
        self.message = message
        self.source = source
        self.line = line
        self.column = column
        where = [str(part) for part in (source, line, column) if part is not None]
        super().__init__(f"{':'.join(where)}: {message}" if where else message)
