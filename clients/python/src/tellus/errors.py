"""What may go wrong: the service refuses (RFC 9457), each cause with a class of its own, or it cannot be reached."""

from __future__ import annotations

from typing import Any


class TellusError(Exception):
    """Everything that this package raises."""


class Unreachable(TellusError):
    """The service did not answer, however often it was asked."""


class Refused(TellusError):
    """The service refused a request.

    `status` is the HTTP status, `cause` the last word of the problem's URI (`budget-spent`, `invalid` …), `detail` says
    what to change, and `faults` maps the places in the request to what is wrong there.
    """

    def __init__(self, request: str, status: int, problem: dict[str, Any]):
        self.status = status
        self.cause = str(problem.get("type", "")).rpartition(":")[2]
        self.detail = str(problem.get("detail", ""))
        self.problem = problem
        self.faults: dict[str, str] = {
            str(fault.get("pointer", "")): str(fault.get("detail", "")) for fault in problem.get("errors") or []
        }
        lines = [f"{request}: {status} {problem.get('title', '')}: {self.detail}"]
        if len(self.faults) > 1:
            lines += [f"  {pointer}: {detail}" for pointer, detail in self.faults.items()]
        super().__init__("\n".join(lines))


class Unauthorized(Refused):
    """The token is missing, or may not do this."""


class NotFound(Refused):
    """There is no such study, trial or path."""


class Invalid(Refused):
    """The request is impossible; `faults` lists every fault."""


class Conflict(Refused):
    """The state of the study or the trial does not allow it."""


class AlreadyTold(Conflict):
    """Something else was told of this trial."""


class LeaseLost(Conflict):
    """The trial is no longer this worker's."""


class StudyNotActive(Conflict):
    """The study is paused or completed."""


class BudgetSpent(Conflict):
    """The study's budget is spent."""


class SpaceExhausted(Conflict):
    """Every point was handed out."""


BY_CAUSE: dict[str, type[Refused]] = {
    "already-told": AlreadyTold,
    "lease-lost": LeaseLost,
    "study-not-active": StudyNotActive,
    "budget-spent": BudgetSpent,
    "space-exhausted": SpaceExhausted,
}
BY_STATUS: dict[int, type[Refused]] = {
    400: Invalid,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}


def refusal(request: str, status: int, problem: dict[str, Any]) -> Refused:
    """The error for a problem document."""
    cause = str(problem.get("type", "")).rpartition(":")[2]
    kind = BY_CAUSE.get(cause) or BY_STATUS.get(status) or Refused
    return kind(request, status, problem)
