"""The two kinds of tables that commands print."""

from rich.table import Table


def headed_table() -> Table:
    """Return an empty table with a line of dim headings and no lines."""
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim")


def plain_table() -> Table:
    """Return an empty table of names and values, without headings."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
