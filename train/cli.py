"""The `rasid` command: `data`, `tag`, `evaluate` and `train`."""

from __future__ import annotations

import click
from rasid.data.cli import data_group
from rasid.data.errors import DataError


class _Group(click.Group):
    """A command group that reports the user's mistakes in one line, never as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DataError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rasid")
def main() -> None:
    """Tag Arabic news for conflict research: who, where, what happened, and who did it to whom."""


main.add_command(data_group)
