"""Twenty trials through the client that OpenAPI Generator makes for Python."""

import os
import uuid

import tellus_api
from tellus_api import models


def main() -> None:
    configuration = tellus_api.Configuration(host=os.environ["TELLUS_URL"])
    configuration.access_token = os.environ.get("TELLUS_TOKEN")
    with tellus_api.ApiClient(configuration) as client:
        studies, trials = tellus_api.StudiesApi(client), tellus_api.TrialsApi(client)
        parameters = [
            models.FloatParameter(type="float", name="x", low=-5, high=10),
            models.CategoricalParameter(type="categorical", name="kernel", choices=["rbf", "poly"]),
            models.IntParameter(type="int", name="degree", low=2, high=5, when={"kernel": ["poly"]}),
        ]
        request = models.StudyRequest(
            name=f"generated-python-{uuid.uuid4()}",
            parameters=[models.Parameter(parameter) for parameter in parameters],
            metrics=[models.Metric(name="loss", goal=models.Goal.MINIMIZE)],
            seed=1,
        )
        study = studies.create_study(request, idempotency_key=str(uuid.uuid4()))
        for number in range(20):
            [trial] = trials.ask(study.id, ask_request=models.AskRequest(worker="python")).trials
            point = trial.parameters
            assert trial.number == number
            assert ("degree" in point) == (point["kernel"] == "poly"), point
            if number == 4:
                outcome = models.TellRequest(failed="out of memory")
            else:
                loss = models.MetricValue(point["x"] ** 2 + point.get("degree", 0))
                outcome = models.TellRequest(metrics={"loss": loss})
            told = trials.tell(study.id, trial.number, outcome)
            assert told.state == ("failed" if number == 4 else "completed")
        try:
            trials.tell(study.id, 0, models.TellRequest(failed="something else"))
            raise AssertionError("telling something else is refused")
        except tellus_api.ApiException as refused:
            assert refused.status == 409 and "already-told" in refused.body
        study = studies.get_study(study.id)
        assert study.trial_counts["completed"] == 19 and study.trial_counts["failed"] == 1
        [best] = studies.get_best(study.id).trials
        print(f"python: 20 trials, best {best.metrics['loss'].value:.4f}")


main()
