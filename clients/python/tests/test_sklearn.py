"""scikit-learn's own checks of an estimator, and a search. Its checks of arrays of other libraries (torch, CuPy, dpnp,
array_api_strict) are skipped, for none of these is installed: 21 of them."""

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import tellus
from tellus.sklearn import TellusSearchCV

C = tellus.Float(1e-2, 1e2, log=True)
pytestmark = [pytest.mark.usefixtures("server"), pytest.mark.filterwarnings("ignore")]


def expected_to_fail(search):
    """What the searches of scikit-learn itself do not pass either."""
    from sklearn.utils._test_common import instance_generator

    known = getattr(instance_generator, "PER_ESTIMATOR_XFAIL_CHECKS", {})
    from sklearn.model_selection import RandomizedSearchCV

    return dict(known.get(RandomizedSearchCV, {}))


@parametrize_with_checks(
    [TellusSearchCV(LogisticRegression(), {"C": C}, n_iter=2, cv=2, random_state=0)],
    expected_failed_checks=expected_to_fail,
)
def test_conventions(estimator, check):
    check(estimator)


def test_a_pipeline_is_tuned():
    features, labels = load_iris(return_X_y=True)
    search = TellusSearchCV(
        make_pipeline(StandardScaler(), SVC()),
        {"svc__C": C, "svc__kernel": ["rbf", "poly"], "svc__degree": tellus.Int(2, 5, when={"svc__kernel": "poly"})},
        n_iter=12,
        batch_size=4,
        cv=3,
        n_jobs=2,
        random_state=1,
    )
    search.fit(features, labels)
    assert search.best_score_ > 0.95 and len(search.cv_results_["params"]) == 12
    assert search.study_.best().trial.value == search.best_score_
    assert search.predict(features).shape == labels.shape


def test_a_named_study_goes_on(name):
    features, labels = load_iris(return_X_y=True)
    search = TellusSearchCV(SVC(), {"C": C}, n_iter=3, cv=3, study_name=name, scoring=["accuracy", "f1_macro"])
    with pytest.raises(ValueError, match="refit"):
        search.fit(features, labels)
    search.set_params(refit="f1_macro", study_name=name + "b").fit(features, labels)
    search.set_params(n_iter=5).fit(features, labels)
    assert len(list(search.study_.trials())) == 5
    with pytest.raises(ValueError, match="raise n_iter"):
        search.fit(features, labels)


def test_what_cannot_be_fitted_is_told_as_failed(name):
    features, labels = load_iris(return_X_y=True)
    space = {"C": C, "kernel": ["rbf", "no such kernel"]}
    search = TellusSearchCV(SVC(), space, n_iter=6, cv=2, study_name=name, random_state=0).fit(features, labels)
    states = {t["kernel"]: t.state for t in search.study_.trials()}
    assert states == {"rbf": "completed", "no such kernel": "failed"}
    assert all(parameters["kernel"] == "rbf" for parameters in search.cv_results_["params"])
    with pytest.raises(ValueError, match="fits failed"):
        TellusSearchCV(SVC(), {"C": C, "kernel": ["none", "nil"]}, n_iter=1, cv=2).fit(features, labels)
