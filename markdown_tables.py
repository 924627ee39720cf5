"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def markdown_table(
    heads: Iterable[str], rows: Iterable[Iterable[str]], numbers: Collection[int] = ()
) -> str:
    """Returns a table, its lines joined by line ends.

    Args:
        heads: Of the columns.
        rows: The cells of each.
        numbers: Indices of the columns that are aligned to the right.
    """
    heads = list(heads)
    rule = ["---:" if index in numbers else "---" for index in range(len(heads))]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (heads, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [cells[0], rule, *cells[1:]])
