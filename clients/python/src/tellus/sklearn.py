"""`TellusSearchCV`: scikit-learn's search interface, with the candidates that Tellus proposes."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV

from .study import Client, Trial

LEASE_SECONDS = 24 * 3600


class TellusSearchCV(BaseSearchCV):
    """Cross-validated search over `space`, as `RandomizedSearchCV` over its distributions.

    Parameters
    ----------
    estimator : estimator
        What is tuned.
    space : dict
        From the names of its parameters to `tellus.Float`, `Int`, `Categorical`, `Ordinal`, or their shorthands.
    n_iter : int
        How many candidates are evaluated.
    batch_size : int
        How many candidates are proposed together, and cross-validated at once with `n_jobs`.
    client : tellus.Client, str or None
        The service.
    study_name : str or None
        With a name, each fit goes on with the study of that name: it is to have `n_iter` trials in the end, and only
        the new ones are in `cv_results_`. Without, each fit has a study of its own.
    random_state : int or None
        The study's seed.

    Attributes
    ----------
    study_ : tellus.Study
        Where the candidates and their scores are kept.
    """

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Any],
        *,
        n_iter: int = 20,
        batch_size: int = 1,
        client: Client | str | None = None,
        study_name: str | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: int | None = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ):
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.client = client
        self.study_name = study_name
        self.random_state = random_state

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        client = self.client if isinstance(self.client, Client) else Client(self.client)
        name = self.study_name or f"{type(self.estimator).__name__}-{uuid.uuid4().hex[:8]}"
        definition: dict[str, Any] = {} if self.random_state is None else {"seed": int(self.random_state)}
        self.study_ = client.study(name, self.space, {"score": "maximize"}, **definition)
        counts = self.study_.record["trial_counts"]
        left = self.n_iter - counts["completed"] - counts["failed"]
        if left <= 0:
            raise ValueError(f"the study {name!r} has {self.n_iter} trials already; raise n_iter to go on")
        told = 0
        all_failed: ValueError | None = None
        while left > 0:
            batch = self.study_.ask_batch(min(left, self.batch_size), worker="sklearn", lease_seconds=LEASE_SECONDS)
            left -= len(batch)
            try:
                results = evaluate_candidates([trial.parameters for trial in batch])
            except ValueError as error:
                # scikit-learn's word for a batch of which nothing could be fitted.
                if "fits failed" not in str(error):
                    for trial in batch:
                        trial.abandon(repr(error)[:1000])
                    raise
                for trial in batch:
                    trial.fail(str(error)[:1000])
                all_failed = error
                continue
            except BaseException as error:
                for trial in batch:
                    trial.abandon(repr(error))
                raise
            scores = results[f"mean_test_{self._metric()}"]
            for trial, score in zip(batch, scores[told:], strict=True):
                _tell(trial, float(score))
            told += len(batch)
        if told == 0 and all_failed is not None:
            raise all_failed

    def _metric(self) -> str:
        """Which of several scores is optimized: that which the best estimator is refitted for."""
        is_multiple = isinstance(self.scoring, (dict, list, tuple, set))
        if is_multiple and not isinstance(self.refit, str):
            raise ValueError("with several scores, refit names the one that is optimized")
        return self.refit if is_multiple else "score"


def _tell(trial: Trial, score: float) -> None:
    if math.isfinite(score):
        trial.tell(score=score)
    else:
        trial.fail(f"the score is {score}")
