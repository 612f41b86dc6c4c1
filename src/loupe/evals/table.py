"""Results as a table of text: one column per model, one row per figure, shares in per cent with their interval."""

from __future__ import annotations

from collections.abc import Sequence

from loupe.evals.metrics import Figure


def table(results: Sequence) -> str:
    """Results of one benchmark side by side, the first one's figures naming the rows; every column says its N.

    Where there are kinds of questions the first figure of each follows."""
    rows = [["", *(r.model for r in results)],
            ["questions (N)", *(str(r.count) if r.count == r.of else f"{r.count} of {r.of}" for r in results)]]
    for index, figure in enumerate(results[0].scores.figures):
        rows.append([figure.name, *(cell(r.scores.figures[index]) for r in results)])
    kinds = [r.kinds for r in results]
    for kind in kinds[0]:
        shown = [k[kind].main if kind in k else None for k in kinds]
        rows.append([f"- {kind} ({kinds[0][kind].count})", *("-" if f is None else cell(f) for f in shown)])
    rows.append(["unreadable, counted wrong", *(_counted(r.scores.unread, r.scores.unreadable) for r in results)])
    for what in dict.fromkeys(w for r in results for w, _ in r.scores.remarks):
        rows.append([what, *(str(dict(r.scores.remarks).get(what, 0)) for r in results)])
    return f"{results[0].benchmark}\n{aligned(rows)}"


def cell(figure: Figure) -> str:
    if not figure.count:
        return "-"
    if figure.low is None:
        return f"{figure.value:.3f}"
    return f"{100 * figure.value:.1f} % [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left, the others to the right, a rule under the head."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths))).rstrip()
             for row in rows]
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])


def _counted(total: int, reasons: Sequence[tuple[str, int]]) -> str:
    if not total:
        return "0"
    return f"{total} ({', '.join(f'{number} {reason}' for reason, number in reasons)})"
