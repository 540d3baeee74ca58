"""The page's drawings, as inline SVG that takes its colours from the page's style sheet."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from . import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 24, 26, 52
# Below this share of a bar there is no room for its figure. The width of a character is a guess on the safe side.
_ROOM = 0.07
_CHARACTER = 6.8


def bar(parts: Sequence[tuple[str, float, str]], title: str) -> str:
    """Return a stacked bar. A part is its label, its share (0 to 1) and the name of its colour."""
    drawn, at = [], 0.0
    for label, part, colour in parts:
        width = max(0.0, min(part, 1.0 - at))
        if width <= 0:
            continue
        hint = escape(f"{label}: {words.percent(part)}")
        drawn.append(
            f'<rect x="{at * 100:.3f}%" width="{width * 100:.3f}%" y="0" height="44" class="fill-{colour}">'
            f"<title>{hint}</title></rect>"
        )
        if width >= _ROOM:
            middle = f"{(at + width / 2) * 100:.3f}%"
            drawn.append(f'<text x="{middle}" y="27" class="inside on-{colour}">{words.percent(part)}</text>')
        at += width
    return f'<svg class="bar" role="img" aria-label="{escape(title)}" width="100%" height="44">{"".join(drawn)}</svg>'


def tradeoff(points: Sequence[Mapping[str, Any]], own: float | None) -> str:
    """Return hits (across) against wrong hits (up), one point a threshold, with 95 % intervals."""
    across = [_hits(point) for point in points]
    rates = [point["wrong_of_all"] for point in points]
    plot = _Plot(across, [rate["high"] for rate in rates])
    band = [plot.at(x, rate["high"]) for x, rate in zip(across, rates, strict=True)]
    band += [plot.at(x, rate["low"]) for x, rate in reversed(list(zip(across, rates, strict=True)))]
    hints = [
        f"threshold {words.threshold(point['threshold'])}: {words.percent(x)} hits, "
        f"{words.percent(point['wrong_of_all']['rate'], 2)} wrong ({words.interval(point['wrong_of_all'])})"
        for point, x in zip(points, across, strict=True)
    ]
    marks = _marks(plot, points, list(zip(across, (rate["rate"] or 0.0 for rate in rates), strict=True)), hints, own)
    body = f'<polygon class="band" points="{_path(band)}"/>{marks}'
    return _framed(plot, body, "share of the requests answered by a hit", "wrong answers, of all requests")


def hits_only(points: Sequence[Mapping[str, Any]], own: float | None) -> str:
    """Return hits over the threshold, for a log without truth."""
    meant = [point for point in points if point["threshold"] is not None]
    across = [point["threshold"] for point in meant]
    plot = _Plot(across, [_hits(point) for point in meant])
    hints = [f"threshold {words.threshold(point['threshold'])}: {words.percent(_hits(point))} hits" for point in meant]
    places = [(point["threshold"], _hits(point)) for point in meant]
    marks = _marks(plot, meant, places, hints, own)
    return _framed(plot, marks, "threshold", "share of the requests answered by a hit", across_is_share=False)


class _Plot:
    """Two linear axes that start and end at round figures."""

    def __init__(self, across: Sequence[float], up: Sequence[float]) -> None:
        self.x_ticks = _ticks(min(across), max(across))
        self.y_ticks = _ticks(0.0, max(up))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies in the drawing."""
        return (
            _LEFT + _part(x, self.x_ticks) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - _part(y, self.y_ticks) * (_HEIGHT - _TOP - _BOTTOM),
        )


def _hits(point: Mapping[str, Any]) -> float:
    return float(point["exact_hits"] + point["semantic_hits"]) / (point["requests"] or 1)


def _part(value: float, ticks: Sequence[float]) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return round figures from at most `low` to at least `high`."""
    span = max(high - low, 1e-3)
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice * about >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def _marks(
    plot: _Plot,
    points: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[float, float]],
    hints: Sequence[str],
    own: float | None,
) -> str:
    spots = [plot.at(*place) for place in places]
    mine = next((at for at, point in enumerate(points) if own is not None and point["threshold"] == own), None)
    drawn = [f'<polyline class="line" points="{_path(spots)}"/>']
    for at, ((x, y), hint) in enumerate(zip(spots, hints, strict=True)):
        look = 'r="7" class="dot own"' if at == mine else 'r="4" class="dot"'
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" {look}><title>{escape(hint)}</title></circle>')
    return "".join([*drawn, *_tags(spots, [words.threshold(point["threshold"]) for point in points], mine)])


def _tags(spots: Sequence[tuple[float, float]], labels: Sequence[str], mine: int | None) -> list[str]:
    """Return the points' labels, as many as fit: the run's own first, then both ends, then the others in order."""
    last = len(spots) - 1
    drawn: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for at in dict.fromkeys([*([] if mine is None else [mine]), last, *range(last)]):
        own, (x, y) = at == mine, spots[at]
        label = f"this run, {labels[at]}" if own else labels[at]
        start, end, base = x - 4 - _CHARACTER * len(label), x - 4, y - 12
        if start < _LEFT:
            start, end = x - 4, x - 4 + _CHARACTER * len(label)
        if any(start < right + 8 and left < end + 8 and abs(base - below) < 16 for left, right, below in taken):
            continue
        taken.append((start, end, base))
        drawn.append(f'<text x="{start:.1f}" y="{base:.1f}" class="tag{" own" if own else ""}">{label}</text>')
    return drawn


def _framed(plot: _Plot, body: str, across: str, up: str, *, across_is_share: bool = True) -> str:
    grid = []
    for tick in plot.y_ticks:
        _, y = plot.at(plot.x_ticks[0], tick)
        grid.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        grid.append(f'<text class="tick end" x="{_LEFT - 8}" y="{y + 4:.1f}">{_tick(tick, plot.y_ticks)}</text>')
    for tick in plot.x_ticks:
        x, y = plot.at(tick, plot.y_ticks[0])
        shown = _tick(tick, plot.x_ticks) if across_is_share else words.threshold(tick)
        grid.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{y:.1f}"/>')
        grid.append(f'<text class="tick" x="{x:.1f}" y="{y + 18:.1f}">{shown}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    titles = (
        f'<text class="axis" x="{middle:.0f}" y="{_HEIGHT - 10}">{across}</text>'
        f'<text class="axis start" x="4" y="12">{up}</text>'
    )
    return (
        f'<svg class="plot" role="img" aria-label="{up} over {across}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f"{''.join(grid)}{titles}{body}</svg>"
    )


def _tick(value: float, ticks: Sequence[float]) -> str:
    digits = max(0, -math.floor(math.log10((ticks[1] - ticks[0]) * 100) + 1e-9))
    return f"{value * 100:.{digits}f} %"


def _path(spots: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
