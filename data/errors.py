"""The errors that tell a user where the data is wrong, or what is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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


class MissingPackage(DataError):
    """A package is not installed that only some of what rasid does needs; the message says which extra brings it."""


@contextmanager
def needs(extra: str, what: str, *, source: str | None = None) -> Iterator[None]:
    """Around imports: what is not installed is told with the extra of rasid's that brings it.

    Args:
        extra: an extra of pyproject.toml.
        what: what needs the package, to begin the message with, as in "training".
        source: file or folder that it is needed for.

    Raises:
        MissingPackage: for an import of a package that is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "rasid":
            raise
        message = f"{what} needs {error.name}, which is not installed: pip install 'rasid[{extra}]'"
        raise MissingPackage(message, source=source) from None
