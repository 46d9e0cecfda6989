"""Charts as SVG: what is drawn is also said, in their titles and descriptions.

Colours come from the style of the page, so that they suit its light and its dark mode. Nothing is
told by a colour alone: marks differ in shape, lines in their dashes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from nlp_rnn.evaluation.report import HIGHER_IS_BETTER, Row, number, way, with_spread
from nlp_rnn.reporting.markup import Markup, element, joined

WIDTH = 360
"""Of a chart, in units of its own: the width of a narrow screen, so that text stays legible."""

SMALL = 200
"""The width of a chart in a table."""

MOST_POINTS = 150
"""Of a curve; more would not be seen."""

Curve = Sequence[tuple[float, float]]


def chart(
    height: int, title: str, description: str, *content: str, width: int = WIDTH, class_: str = ""
) -> Markup:
    """A drawing that a screen reader reads as its title and its description."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *content,
        viewBox=f"0 0 {width} {height}",
        role="img",
        class_=class_,
    )


def text(x: float, y: float, content: str, anchor: str = "", class_: str = "") -> Markup:
    """A line of text in a chart: begins at ``x``, or has there its ``middle`` or its ``end``."""
    return element("text", content, x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("path", d=_path([(x1, y1), (x2, y2)]), class_=class_)


def _path(points: Curve) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """A function that takes values from ``low`` to ``high`` to places from ``start`` to ``end``."""
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most so many, a step of 1, 2 or 5 apart."""
    if high <= low:
        return [low]
    power = math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20):
        step = factor * 10.0**power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [round(step * i, max(0, -power)) for i in range(first, last + 1)]


# --- from the best baseline to the optimum ---------------------------------------------------


def between(row: Row) -> Markup:
    """The axis from the best baseline to the optimum, and the test metric with its interval on it.

    The better is always at the right.
    """
    optimum = "no optimum is known"
    if row["optimum"] is not None:
        optimum = f"optimum {number(row['optimum'])}"
    test = f"{row['metric']} {with_spread(row)}"
    baseline = f"{row['best']} {number(row['baseline'])}"
    told = f" ({share})" if (share := way_told(row)) else ""
    marks = (
        element("rect", x=3, y=67, width=8, height=8, class_="baseline"),
        text(16, 75, baseline),
        text(WIDTH - (20 if row["optimum"] is not None else 3), 75, optimum, "end"),
        *([_diamond(WIDTH - 9, 71)] if row["optimum"] is not None else []),
        element("circle", cx=7, cy=11, r=5, class_="test"),
        text(16, 15, test, class_="strong"),
    )
    title = f"{row['metric']} of {row['experiment']}"
    description = f"Best baseline {baseline}, {test}, {optimum}{told}."
    return chart(82, title, description, *_axis(row, WIDTH, 44), *marks)


def way_told(row: Row) -> str:
    """How far the metric is from the best baseline to the optimum, in words where it is behind."""
    better = max if HIGHER_IS_BETTER[row["metric"]] else min
    if better(row["test"], row["baseline"]) != row["test"]:
        return "behind the baseline"
    return way(row)


def small_between(row: Row) -> Markup:
    """The same axis without its numbers, for a table that has them."""
    title = f"{row['metric']} of {row['experiment']} between baseline and optimum"
    told = "The numbers stand beside it."
    return chart(24, title, told, *_axis(row, SMALL, 12), width=SMALL, class_="small")


def _axis(row: Row, width: int, y: float) -> Iterator[Markup]:
    points = [row["baseline"], row["test"], *(row["range"] or ())]
    if row["optimum"] is not None:
        points.append(row["optimum"])
    ends = min(points), max(points)
    place = scale(*(ends if HIGHER_IS_BETTER[row["metric"]] else ends[::-1]), 9, width - 9)
    yield line(1, y, width - 1, y, "axis")
    if row["optimum"] is not None:
        yield line(place(row["baseline"]), y, place(row["optimum"]), y, "gap")
    if row["range"]:
        low, high = sorted(map(place, row["range"]))
        yield line(low, y, high, y, "interval")
        yield joined(line(x, y - 7, x, y + 7, "limit") for x in (low, high))
    yield element(
        "rect", x=place(row["baseline"]) - 5, y=y - 5, width=10, height=10, class_="baseline"
    )
    if row["optimum"] is not None:
        yield _diamond(place(row["optimum"]), y)
    # A circle upon the diamond leaves its corners to be seen.
    yield element("circle", cx=place(row["test"]), cy=float(y), r=4.5, class_="test")


def _diamond(x: float, y: float) -> Markup:
    corners = [(x - 8, y), (x, y - 8), (x + 8, y), (x, y + 8)]
    return element("path", d=_path(corners) + "Z", class_="optimum")


# --- curves over the epochs ------------------------------------------------------------------


def curves(title: str, unit: str, series: Mapping[str, Curve], kept: int) -> Markup:
    """A few curves over the epochs, with their names at their ends.

    Args:
        title: what is drawn.
        unit: of the values.
        series: epochs and values, by the name of the curve.
        kept: the epoch whose weights are kept.
    """
    values = [y for curve in series.values() for _, y in curve]
    last = max(x for curve in series.values() for x, _ in curve)
    x = scale(1, last, 44, WIDTH - 12) if last > 1 else scale(0, 2, 44, WIDTH - 12)
    y = scale(min(values), max(values), 160, 28)
    described = "; ".join(
        f"{name} from {number(curve[0][1])} to {number(curve[-1][1])}"
        for name, curve in series.items()
    )
    return chart(
        200,
        title,
        f"{described}; epoch {kept} of {last:.0f} is kept.",
        *_levels(y, min(values), max(values)),
        *(text(x(tick), 176, f"{tick:.0f}", "middle") for tick in _epochs(last)),
        text((44 + WIDTH) / 2, 194, "epoch", "middle"),
        line(x(kept), 28, x(kept), 160, "kept"),
        *_legend([*series], unit),
        *(
            _curve([(x(epoch), y(value)) for epoch, value in thinned(curve)], f"series-{place}")
            for place, curve in enumerate(series.values(), 1)
        ),
    )


def _epochs(last: float) -> list[float]:
    return [tick for tick in ticks(1, last, 8) if tick == round(tick)]


def _levels(y: Callable[[float], float], low: float, high: float) -> Iterator[Markup]:
    """Lines across a chart at round values, and the values beside them."""
    for tick in ticks(low, high, 6):
        yield line(44, y(tick), WIDTH - 12, y(tick), "grid")
        yield text(39, y(tick) + 4, f"{tick:.10g}", "end")


def _legend(names: Sequence[str], unit: str) -> Iterator[Markup]:
    """What each curve is, above the chart."""
    x = 44.0
    for place, name in enumerate(names, 1):
        yield line(x, 10, x + 22, 10, f"series-{place}")
        yield text(x + 27, 14, name)
        x += 40 + 6.5 * len(name)
    yield text(WIDTH - 12, 14, unit, "end", "quiet")


def _curve(points: Curve, class_: str) -> Markup:
    if len(points) == 1:
        return element("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"dot {class_}")
    return element("path", d=_path(points), class_=class_)


def thinned(curve: Curve) -> Curve:
    """At most :data:`MOST_POINTS` points of a curve, the first and the last among them."""
    if len(curve) <= MOST_POINTS:
        return curve
    stride = (len(curve) - 1) / (MOST_POINTS - 1)
    return [curve[round(i * stride)] for i in range(MOST_POINTS)]


# --- calibration -------------------------------------------------------------------------------


def reliability_diagram(name: str, bins: Sequence[Mapping[str, float]]) -> Markup:
    """Accuracy against confidence; a line spans the accuracies that so few predictions allow.

    Args:
        name: of the experiment.
        bins: as :func:`nlp_rnn.evaluation.calibration.reliability` finds them.
    """
    x, y = scale(0, 1, 44, WIDTH - 12), scale(0, 1, 240, 12)
    most = max(row["predictions"] for row in bins)
    marks = []
    for row in bins:
        across, up = x(row["confidence"]), y(row["accuracy"])
        low, high = wilson(row["accuracy"], row["predictions"])
        marks.append(line(across, y(low), across, y(high), "limit"))
        told = (
            f"{row['predictions']:,} predictions: confidence {row['confidence']:.3f}, "
            f"accuracy {row['accuracy']:.3f}"
        )
        radius = 3.5 + 4 * math.sqrt(row["predictions"] / most)
        marks.append(
            element("circle", element("title", told), cx=across, cy=up, r=radius, class_="test")
        )
    surest = bins[-1]
    return chart(
        280,
        f"Reliability of {name}",
        f"Accuracy against confidence in {len(bins)} groups; in the surest, of "
        f"{surest['predictions']:,} predictions, the confidence is {surest['confidence']:.3f} and "
        f"the accuracy {surest['accuracy']:.3f}.",
        *_levels(y, 0, 1),
        *(text(x(tick), 256, f"{tick:.10g}", "middle") for tick in ticks(0, 1, 6)),
        text((44 + WIDTH) / 2, 274, "confidence", "middle"),
        text(50, 22, "accuracy", class_="quiet"),
        line(x(0), y(0), x(1), y(1), "kept"),
        *marks,
    )


def wilson(share: float, trials: float, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    middle = share + z * z / (2 * trials)
    width = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    scaled = 1 + z * z / trials
    return max(0.0, (middle - width) / scaled), min(1.0, (middle + width) / scaled)
