"""What may be tried and what is measured, in Python's words.

A search space is a dictionary from names to parameters, or to shorthands of them: `(-5.0, 10.0)` is a float, `(1, 8)` an
int (both ends are ints), `["rbf", "poly"]` a category.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Union

Label = Union[str, float, int, bool]
When = Mapping[str, Union[Label, Sequence[Label]]]


@dataclasses.dataclass(frozen=True)
class Float:
    """A real number from `low` to `high`; on a logarithmic scale with `log`, on a grid with `step`."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When | None = None

    def definition(self) -> dict[str, Any]:
        return _numeric("float", self.low, self.high, self.log, self.step, self.when)


@dataclasses.dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`."""

    low: int
    high: int
    log: bool = False
    step: int | None = None
    when: When | None = None

    def definition(self) -> dict[str, Any]:
        return _numeric("int", self.low, self.high, self.log, self.step, self.when)


@dataclasses.dataclass(frozen=True)
class Categorical:
    """One of some choices without an order: strings, numbers or booleans, all of one kind."""

    choices: Sequence[Label]
    when: When | None = None

    def definition(self) -> dict[str, Any]:
        return {"type": "categorical", "choices": list(self.choices), **_when(self.when)}


@dataclasses.dataclass(frozen=True)
class Ordinal:
    """One of some values in their order."""

    values: Sequence[Label]
    when: When | None = None

    def definition(self) -> dict[str, Any]:
        return {"type": "ordinal", "values": list(self.values), **_when(self.when)}


Parameter = Union[Float, Int, Categorical, Ordinal]
Space = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Metric:
    """What is wanted of a metric: `minimize`, `maximize`, `constrain` (with `lower`, `upper`) or `record`."""

    goal: str
    lower: float | None = None
    upper: float | None = None
    reference: float | None = None

    def definition(self) -> dict[str, Any]:
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A linear constraint between parameters: `Constraint({"a": 1, "b": 1}, equals=1)` is a mixture."""

    sum: Mapping[str, float]
    lower: float | None = None
    upper: float | None = None
    equals: float | None = None

    def definition(self) -> dict[str, Any]:
        return {
            key: value
            for key, value in {
                "sum": dict(self.sum),
                "lower": self.lower,
                "upper": self.upper,
                "equals": self.equals,
            }.items()
            if value is not None
        }


def parameters(space: Space | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The parameters as the service takes them. A list of definitions is passed on as it is."""
    if not isinstance(space, Mapping):
        return [dict(parameter) for parameter in space]
    return [{"name": name, **_parameter(name, entry).definition()} for name, entry in space.items()]


def metrics(wanted: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str) -> list[dict[str, Any]]:
    """The metrics as the service takes them. `"minimize"` alone is of one metric named `value`."""
    if isinstance(wanted, str):
        return [{"name": "value", "goal": wanted}]
    if not isinstance(wanted, Mapping):
        return [dict(metric) for metric in wanted]
    each = []
    for name, entry in wanted.items():
        metric = Metric(entry) if isinstance(entry, str) else entry
        each.append({"name": name, **(metric.definition() if isinstance(metric, Metric) else dict(metric))})
    return each


def _parameter(name: str, entry: Any) -> Parameter:
    if isinstance(entry, (Float, Int, Categorical, Ordinal)):
        return entry
    if isinstance(entry, tuple) and len(entry) == 2 and not any(isinstance(end, (bool, str)) for end in entry):
        if all(isinstance(end, int) for end in entry):
            return Int(*entry)
        return Float(float(entry[0]), float(entry[1]))
    if isinstance(entry, (list, range)):
        return Categorical(list(entry))
    raise TypeError(f"parameter {name!r}: {entry!r} is none of Float, Int, Categorical, Ordinal, (low, high), [choices]")


def _numeric(kind: str, low: Any, high: Any, log: bool, step: Any, when: When | None) -> dict[str, Any]:
    numeric: dict[str, Any] = {"type": kind, "low": low, "high": high, "scale": "log" if log else "linear"}
    if step is not None:
        numeric["step"] = step
    return numeric | _when(when)


def _when(when: When | None) -> dict[str, Any]:
    if not when:
        return {}
    return {
        "when": {
            parent: list(values) if isinstance(values, (list, tuple, set, frozenset)) else [values]
            for parent, values in when.items()
        }
    }
