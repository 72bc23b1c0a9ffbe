"""A study as a picture, in SVG and with the standard library alone: each trial and the best so far, or two objectives
against each other with the trials that nothing dominates."""

from __future__ import annotations

import dataclasses
import html
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 640.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 74.0, 16.0, 40.0, 54.0
SEEN, BEST, INFEASIBLE = "#1b6ca8", "#d95f02", "#b0b0b0"


@dataclasses.dataclass(frozen=True)
class Picture:
    """An SVG picture; notebooks show it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes it to a file."""
        file = Path(path)
        file.write_text(self.svg, encoding="utf-8")
        return file


def objectives(study: dict[str, Any]) -> list[tuple[str, bool]]:
    """The names of the objectives, and whether each is maximized."""
    goals = ((metric["name"], metric["goal"]) for metric in study["metrics"])
    return [(name, goal == "maximize") for name, goal in goals if goal in ("minimize", "maximize")]


def is_feasible(study: dict[str, Any], trial: dict[str, Any]) -> bool:
    """Whether every constraint metric was measured, within its bounds."""
    for metric in study["metrics"]:
        if metric["goal"] != "constrain":
            continue
        seen = (trial.get("metrics") or {}).get(metric["name"])
        if seen is None:
            return False
        lower, upper = metric.get("lower"), metric.get("upper")
        if (lower is not None and seen["value"] < lower) or (upper is not None and seen["value"] > upper):
            return False
    return True


def feasible_values(
    study: dict[str, Any], trials: Iterable[dict[str, Any]]
) -> tuple[str, bool, list[tuple[int, float]]]:
    """The only objective's name, whether it is maximized, and the feasible trials' numbers and values."""
    wanted = objectives(study)
    if len(wanted) != 1:
        return "", False, []
    name, is_maximized = wanted[0]
    values = [
        (trial["number"], trial["metrics"][name]["value"])
        for trial in trials
        if trial["state"] == "completed" and is_feasible(study, trial)
    ]
    return name, is_maximized, values


def front(points: Sequence[tuple[float, float]], maximized: tuple[bool, bool]) -> list[tuple[float, float]]:
    """The points that no other dominates, by their first coordinate."""
    signs = [1 if up else -1 for up in maximized]
    kept: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (signs[0] * p[0], signs[1] * p[1]), reverse=True):
        if not kept or signs[1] * point[1] > signs[1] * kept[-1][1]:
            kept.append(point)
    return sorted(kept)


def picture(study: dict[str, Any], trials: Iterable[dict[str, Any]]) -> Picture:
    """A study's completed trials."""
    told = [trial for trial in trials if trial.get("metrics")]
    wanted = objectives(study)
    title = str(study["name"])
    if len(wanted) > 1:
        (first, first_up), (second, second_up) = wanted[:2]

        def place(trial: dict[str, Any]) -> tuple[float, float]:
            return trial["metrics"][first]["value"], trial["metrics"][second]["value"]

        dots = [(*place(trial), SEEN if is_feasible(study, trial) else INFEASIBLE) for trial in told]
        line = front([(x, y) for x, y, color in dots if color == SEEN], (first_up, second_up))
        return chart(title, first, second, dots, line)
    name, is_maximized = wanted[0]
    dots = []
    steps: list[tuple[float, float]] = []
    for trial in told:
        value, ok = trial["metrics"][name]["value"], is_feasible(study, trial)
        dots.append((float(trial["number"]), value, SEEN if ok else INFEASIBLE))
        if ok:
            best = value if not steps else (max if is_maximized else min)(steps[-1][1], value)
            if steps:
                steps.append((float(trial["number"]), steps[-1][1]))
            steps.append((float(trial["number"]), best))
    return chart(title, "trial", name, dots, steps)


def chart(
    title: str,
    across: str,
    up: str,
    dots: Sequence[tuple[float, float, str]],
    line: Sequence[tuple[float, float]] = (),
) -> Picture:
    """Dots and a line in a frame with two axes."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>',
        _text(WIDTH / 2, 20, title, "middle"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across, "middle"),
        _text(10, 34, up, "start"),
    ]
    x_at, x_ticks = _axis([*(dot[0] for dot in dots), *(x for x, _ in line)], LEFT, WIDTH - RIGHT)
    y_at, y_ticks = _axis([*(dot[1] for dot in dots), *(y for _, y in line)], HEIGHT - BOTTOM, TOP)
    for tick in x_ticks:
        parts.append(_text(x_at(tick), HEIGHT - BOTTOM + 18, f"{tick:g}", "middle"))
    for tick in y_ticks:
        y = y_at(tick)
        parts.append(f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" stroke="#e4e4e4"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{tick:g}", "end"))
    if line:
        path = "L".join(f"{x_at(x):.1f} {y_at(y):.1f}" for x, y in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{BEST}" stroke-width="2"/>')
    parts += [
        f'<circle cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="3.5" fill="{color}" fill-opacity="0.75"/>'
        for x, y, color in dots
    ]
    return Picture("".join([*parts, "</svg>\n"]))


def _axis(values: Sequence[float], start: float, end: float) -> tuple[Callable[[float], float], list[float]]:
    """Where a value lies between `start` and `end`, and round values to write beside it."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.04 * max(abs(low), 1.0)
    low, high = low - pad, high + pad
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first = math.ceil(low / step)
    ticks = [round(step * k, 12) for k in range(first, math.floor(high / step) + 1)]
    return lambda value: start + (value - low) / (high - low) * (end - start), ticks


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(content)}</text>'
