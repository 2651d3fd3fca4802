"""Units taken against units allowed: a sentence and a bar. Pure."""

from __future__ import annotations

from dynamodb_pipeline.durations import duration_text
from dynamodb_pipeline.report.markup import Html, element, joined
from dynamodb_pipeline.report.table_figures import Units, count_text

BAR_WIDTH = 400  # of the drawing; the page scales it


def units_text(units: Units) -> str:
    """`60.5`, with `about` where nobody counted."""
    return f"{'about ' if units.estimated else ''}{count_text(units.consumed)}"


def units_html(units: Units) -> Html:
    """Return what was taken, how that compares with what was allowed, and a bar where both are known."""
    if units.share is None:
        return joined(units_text(units))
    return joined(units_text(units), ": ", _compared(units), _bar(units.share))


def _compared(units: Units) -> str:
    over = f"the whole run of {duration_text(units.seconds or 0)}" if units.whole_run else "its time"
    return f"{units.per_s:,.1f}/s over {over}, {units.share:.0%} of the {count_text(units.allowed_per_s)}/s allowed"


def _bar(share: float) -> Html:
    """Full at what was allowed; more than that is drawn full, in another colour."""
    width = f"{min(max(share, 0.0), 1.0) * BAR_WIDTH:.0f}"
    said = f"{share:.0%} of what was allowed"
    track = element("rect", class_="track", width=str(BAR_WIDTH), height="10")
    taken = element("rect", class_="over" if share > 1 else "taken", width=width, height="10")
    box = f"0 0 {BAR_WIDTH} 10"
    return element("svg", element("title", said), track, taken, viewBox=box, preserveAspectRatio="none", role="img")
