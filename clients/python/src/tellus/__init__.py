"""Client of Tellus, a Bayesian black-box optimization service.

    import tellus

    result = tellus.minimize(lambda p: (p["x"] - 3) ** 2, {"x": (-5.0, 10.0)}, trials=20)
    print(result.parameters, result.value)

`minimize` and `maximize` run a function; `Client.study` gives the study itself, to be asked and told. The service is at
`TELLUS_URL`, or http://127.0.0.1:8080, unless a `url` is given. Only the standard library is needed; `tellus.optuna`,
`tellus.sklearn`, `tellus.ray` and `tellus.mlflow` need what they are named after.
"""

from ._http import Connection
from .aio import AsyncClient, AsyncStudy, AsyncTrial
from .errors import (
    AlreadyTold,
    BudgetSpent,
    Conflict,
    Invalid,
    LeaseLost,
    NotFound,
    Refused,
    SpaceExhausted,
    StudyNotActive,
    TellusError,
    Unauthorized,
    Unreachable,
)
from .importers import from_ax, from_csv, from_optuna
from .minimize import Result, StopTrial, maximize, minimize
from .plot import Picture
from .space import Categorical, Constraint, Float, Int, Metric, Ordinal, Parameter
from .study import Best, Client, Recommendation, Study, Trial

__version__ = "0.1.0"

__all__ = [
    "AlreadyTold",
    "AsyncClient",
    "AsyncStudy",
    "AsyncTrial",
    "Best",
    "BudgetSpent",
    "Categorical",
    "Client",
    "Conflict",
    "Connection",
    "Constraint",
    "Float",
    "Int",
    "Invalid",
    "LeaseLost",
    "Metric",
    "NotFound",
    "Ordinal",
    "Parameter",
    "Picture",
    "Recommendation",
    "Refused",
    "Result",
    "SpaceExhausted",
    "StopTrial",
    "Study",
    "StudyNotActive",
    "TellusError",
    "Trial",
    "Unauthorized",
    "Unreachable",
    "from_ax",
    "from_csv",
    "from_optuna",
    "maximize",
    "minimize",
]
