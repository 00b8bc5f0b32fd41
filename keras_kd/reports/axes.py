"""Scales, ticks and a frame: what every plot of a report needs, as SVG text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 330
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 12, 46
FONT = 12


@dataclass(frozen=True)
class Scale:
    """Maps values from `low..high` to pixels `start..end`, linearly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        position = math.log(value) if self.log else value
        return self.start + (position - low) / (high - low) * (self.end - self.start)


def log_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """A logarithmic scale with a margin, at least a factor of four wide."""
    low, high = min(values), max(values)
    widen = max(1.35, math.sqrt(4 / (high / low)))
    return Scale(low / widen, high * widen, start, end, log=True)


def linear_scale(values: Sequence[float], start: float, end: float, least: float) -> Scale:
    """A linear scale with a margin, at least `least` wide."""
    low, high = min(values), max(values)
    margin = max(0.16 * (high - low), (least - (high - low)) / 2)
    return Scale(low - margin, high + margin, start, end)


def log_ticks(scale: Scale) -> list[float]:
    """1, 2, 5 in every decade; only the decades when that would be too many."""
    decades = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if scale.low <= tick <= scale.high]
        if len(ticks) <= 7:
            return ticks
    return ticks[:: math.ceil(len(ticks) / 7)]


def linear_ticks(scale: Scale) -> list[float]:
    """Round numbers, four to eight of them."""
    rough = (scale.high - scale.low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.8)
    first = math.ceil(scale.low / step)
    return [round(i * step, 12) for i in range(first, math.floor(scale.high / step) + 1)]


def number(value: float) -> str:
    """A tick label without needless digits."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.6g}"


def frame(
    x: Scale, y: Scale, x_title: str, y_title: str, x_ticks: Sequence[float], y_text: Callable[[float], str]
) -> list[str]:
    """Grid lines, tick labels and axis titles."""
    bottom = HEIGHT - BOTTOM
    parts = []
    for tick in x_ticks:
        at = x(tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>')
        parts.append(_text(at, bottom + 17, number(tick), "middle", "tick"))
    for tick in linear_ticks(y):
        at = y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{x.end:.1f}"/>')
        parts.append(_text(LEFT - 7, at + 4, y_text(tick), "end", "tick"))
    parts.append(_text((LEFT + x.end) / 2, HEIGHT - 8, x_title, "middle", "axis"))
    parts.append(
        f'<text class="axis" text-anchor="middle" transform="translate(13 {(TOP + bottom) / 2}) rotate(-90)">'
        f"{escape(y_title)}</text>"
    )
    return parts


def _text(x: float, y: float, text: str, anchor: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def svg(parts: Sequence[str], label: str) -> str:
    """The drawing, with the words that a screen reader says instead of it."""
    body = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">\n{body}\n</svg>'
