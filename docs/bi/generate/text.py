"""Text in the forms that the generated files need."""

import textwrap

WIDTH = 100


def wrapped(text: str, indent: str, first: str | None = None) -> str:
    """`text` in lines of at most 100 columns, each with `indent`, the first with `first`."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def folded(key: str, text: str, indent: int) -> str:
    """A YAML scalar in folded style, which needs no quotes whatever the text contains."""
    pad = " " * indent
    return f"{pad}{key}: >-\n{wrapped(text, pad + '  ')}\n"


def cell(text: str) -> str:
    """`text` as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
