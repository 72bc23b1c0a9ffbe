// Twenty trials through the client that OpenAPI Generator makes for Java (its native library: java.net.http).
import java.util.List;
import java.util.Map;
import java.util.UUID;
import tellus.ApiClient;
import tellus.ApiException;
import tellus.api.StudiesApi;
import tellus.api.TrialsApi;
import tellus.model.*;

public class Study {
    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    public static void main(String[] arguments) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(System.getenv("TELLUS_URL"));
        String token = System.getenv("TELLUS_TOKEN");
        if (token != null) {
            client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        }
        StudiesApi studies = new StudiesApi(client);
        TrialsApi trials = new TrialsApi(client);

        FloatParameter x = new FloatParameter();
        x.setType(FloatParameter.TypeEnum.FLOAT);
        x.setName("x");
        x.setLow(-5.0);
        x.setHigh(10.0);
        CategoricalParameter kernel = new CategoricalParameter();
        kernel.setType(CategoricalParameter.TypeEnum.CATEGORICAL);
        kernel.setName("kernel");
        kernel.setChoices(List.of("rbf", "poly"));
        IntParameter degree = new IntParameter();
        degree.setType(IntParameter.TypeEnum.INT);
        degree.setName("degree");
        degree.setLow(2L);
        degree.setHigh(5L);
        degree.setWhen(Map.of("kernel", List.of("poly")));
        StudyRequest request = new StudyRequest()
            .name("generated-java-" + UUID.randomUUID())
            .parameters(List.of(new Parameter(x), new Parameter(kernel), new Parameter(degree)))
            .metrics(List.of(new Metric().name("loss").goal(Goal.MINIMIZE)))
            .seed(1L);
        tellus.model.Study study = studies.createStudy(request, UUID.randomUUID().toString());

        for (long number = 0; number < 20; number++) {
            AskAnswer asked = trials.ask(study.getId(), null, new AskRequest().worker("java"));
            Trial trial = asked.getTrials().get(0);
            check(trial.getNumber() == number, "trials are numbered");
            Map<String, Object> point = trial.getParameters();
            check(point.containsKey("degree") == point.get("kernel").equals("poly"), point.toString());
            TellRequest outcome = new TellRequest();
            if (number == 4) {
                outcome.failed("out of memory");
            } else {
                double at = ((Number) point.get("x")).doubleValue();
                double loss = at * at + ((Number) point.getOrDefault("degree", 0)).doubleValue();
                outcome.metrics(Map.of("loss", new MetricValue(loss)));
            }
            Trial told = trials.tell(study.getId(), number, outcome, null);
            check(told.getState().equals(number == 4 ? "failed" : "completed"), told.getState());
        }
        try {
            trials.tell(study.getId(), 0L, new TellRequest().failed("something else"), null);
            check(false, "telling something else is refused");
        } catch (ApiException refused) {
            check(refused.getCode() == 409 && refused.getResponseBody().contains("already-told"), refused.toString());
        }
        Map<String, Long> counts = studies.getStudy(study.getId()).getTrialCounts();
        check(counts.get("completed") == 19 && counts.get("failed") == 1, counts.toString());
        Trial best = studies.getBest(study.getId()).getTrials().get(0);
        System.out.printf("java: 20 trials, best %.4f%n", best.getMetrics().get("loss").getValue());
    }
}
