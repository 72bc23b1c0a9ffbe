"""What a run shows: a bar with the best so far on a terminal, a plot that grows in a notebook, nothing elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from .plot import feasible_values, picture

CELLS = 30


class Progress:
    """Shows nothing."""

    def resume(self, trials: Iterable[dict[str, Any]]) -> None:
        """Takes in the trials that were there before."""

    def update(self, trial: dict[str, Any]) -> None:
        """Takes in a trial that was told."""

    def close(self) -> None:
        """Leaves the place as it was."""


class _Shown(Progress):
    def __init__(self, study: dict[str, Any], total: int):
        self.study = study
        self.total = total
        self.trials: list[dict[str, Any]] = []
        self.resumed = 0
        self.began = time.monotonic()
        self.lock = threading.Lock()

    def resume(self, trials: Iterable[dict[str, Any]]) -> None:
        self.trials = [trial for trial in trials if trial["state"] in ("completed", "failed", "stopped")]
        self.resumed = len(self.trials)
        self.show()

    def update(self, trial: dict[str, Any]) -> None:
        with self.lock:
            self.trials.append(trial)
            self.show()

    def show(self) -> None:
        raise NotImplementedError

    def line(self) -> str:
        done = len(self.trials)
        failed = sum(trial["state"] == "failed" for trial in self.trials)
        filled = CELLS * min(done, self.total) // max(self.total, 1)
        parts = [f"{'█' * filled}{'░' * (CELLS - filled)} {done}/{self.total}"]
        if failed:
            parts.append(f"{failed} failed")
        name, is_maximized, values = feasible_values(self.study, self.trials)
        if values:
            number, best = (max if is_maximized else min)(values, key=lambda pair: pair[1])
            parts.append(f"best {name} {best:.5g} (trial {number})")
        ran = done - self.resumed
        if ran and done < self.total:
            parts.append(f"{(time.monotonic() - self.began) / ran * (self.total - done):.0f} s left")
        return "  ".join(parts)


class _Terminal(_Shown):
    def show(self) -> None:
        sys.stderr.write(f"\r\x1b[K{self.line()}")
        sys.stderr.flush()

    def close(self) -> None:
        if self.trials:
            sys.stderr.write("\n")
            sys.stderr.flush()


class _Notebook(_Shown):
    def __init__(self, study: dict[str, Any], total: int):
        super().__init__(study, total)
        self.handle: Any = None

    def show(self) -> None:
        from IPython.display import HTML, display

        completed = [trial for trial in self.trials if trial["state"] == "completed"]
        drawn = picture(self.study, completed).svg if completed else ""
        page = HTML(f"<div style='max-width:640px'>{drawn}<pre>{self.line()}</pre></div>")
        if self.handle is None:
            self.handle = display(page, display_id=True)
        else:
            self.handle.update(page)


def progress_for(is_wanted: bool, study: dict[str, Any], total: int) -> Progress:
    """What fits the place where this runs."""
    if not is_wanted:
        return Progress()
    if _is_notebook():
        return _Notebook(study, total)
    return _Terminal(study, total) if sys.stderr.isatty() else Progress()


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"
