"""The tables that a benchmark prints. In Markdown, so that they can be copied into the
documentation."""

from statistics import median

from .measure import MEGABYTE

FIGURES = ("wall", "cpu", "postgres_cpu", "web_cpu", "rss", "wal", "versions")
PHASES = ("first load", "re-run")


def medians(results):
    """The median of each figure, by size, phase and contender, sizes and phases first."""
    groups = {}
    for result in results:
        groups.setdefault((result["customers"], result["phase"], result["contender"]), []).append(
            result
        )
    keys = sorted(groups, key=lambda key: (key[0], PHASES.index(key[1])))
    return {
        key: {figure: median(one[figure] for one in groups[key]) for figure in FIGURES}
        for key in keys
    }


def show(title, head, lines):
    """Prints one table. The first column is text, the others are figures."""
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells):
        padded = [
            cells[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])),
        ]
        return f"| {' | '.join(padded)} |"

    print(f"\n{title}\n", *map(line, [head, rule, *lines]), sep="\n", flush=True)


def show_load(table, titles):
    """What each contender cost, a table for each size and phase."""
    head = [
        "",
        "seconds",
        "customers/s",
        "CPU s",
        "Postgres CPU s",
        "RSS MB",
        "WAL MB",
        "rows written",
    ]
    for customers, phase in dict.fromkeys(key[:2] for key in table):
        lines = [
            [
                titles[contender],
                f"{one['wall']:.2f}",
                f"{customers / one['wall']:.0f}",
                f"{one['cpu']:.2f}",
                f"{one['postgres_cpu']:.2f}",
                f"{one['rss'] / MEGABYTE:.1f}",
                f"{one['wal'] / MEGABYTE:.1f}",
                f"{one['versions']:.0f}",
            ]
            for (*group, contender), one in table.items()
            if group == [customers, phase]
        ]
        show(f"{customers} customers, {phase}", head, lines)


def targets(table):
    """The requirements on the program, as (text, size and phase, measured value, limit, whether it
    is met). Those that were not measured are left out."""
    found = []
    sizes = list(dict.fromkeys(key[0] for key in table))

    def want(what, where, value, limit, form, at_least=False):
        met = value >= limit if at_least else value <= limit
        sign = "≥" if at_least else "≤"
        found.append(
            {
                "what": what,
                "where": where,
                "found": form.format(value),
                "limit": f"{sign} {form.format(limit)}",
                "met": met,
            }
        )

    for customers, phase in dict.fromkeys(key[:2] for key in table):
        ours, aiohttp, dlt, floor = (
            table.get((customers, phase, name))
            for name in ("seatledger", "aiohttp", "dlt", "floor")
        )
        where = f"{customers}, {phase}"
        if ours and aiohttp:
            want(
                "customers/s against aiohttp",
                where,
                aiohttp["wall"] / ours["wall"],
                2.5,
                "{:.2f} ×",
                at_least=True,
            )
            want("own CPU against aiohttp's", where, ours["cpu"] / aiohttp["cpu"], 0.25, "{:.2f} ×")
        if ours and dlt:
            want(
                "customers/s against dlt",
                where,
                dlt["wall"] / ours["wall"],
                12,
                "{:.1f} ×",
                at_least=True,
            )
        if ours and floor:
            both = [one["cpu"] + one["postgres_cpu"] for one in (ours, floor)]
            want("CPU with Postgres' against the floor", where, both[0] / both[1], 1.6, "{:.2f} ×")
        if ours:
            want("peak RSS", where, ours["rss"] / MEGABYTE, 40, "{:.1f} MB")
    for customers in sizes:
        first, again = (table.get((customers, phase, "seatledger")) for phase in PHASES)
        if first and again:
            want(
                "re-run's WAL against the first load's",
                f"{customers}",
                100 * again["wal"] / first["wal"],
                3,
                "{:.1f} %",
            )
            want("rows written again", f"{customers}, re-run", again["versions"], 0, "{:.0f}")
    for phase in PHASES:
        small, large = (
            table.get((customers, phase, "seatledger")) for customers in (sizes[0], sizes[-1])
        )
        if small and large and len(sizes) > 1:
            want(
                f"peak RSS against that of {sizes[0]}",
                f"{sizes[-1]}, {phase}",
                large["rss"] / small["rss"],
                1.3,
                "{:.2f} ×",
            )
    return found


def show_targets(wanted):
    head = ["wanted", "customers", "found", "limit", "met"]
    lines = [
        [one["what"], one["where"], one["found"], one["limit"], "yes" if one["met"] else "NO"]
        for one in wanted
    ]
    if lines:
        show("What is wanted of seatledger", head, lines)
