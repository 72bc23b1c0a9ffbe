// Twenty trials through the client that OpenAPI Generator makes for Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"tellus.example/study/tellus"
)

func check(holds bool, what ...any) {
	if !holds {
		panic(fmt.Sprint(what...))
	}
}

// done takes the error of a call, and what was refused, if that is what it is.
func done(err error) {
	var refused *tellus.GenericOpenAPIError
	if errors.As(err, &refused) {
		panic(fmt.Sprint(err, string(refused.Body())))
	}
	check(err == nil, err)
}

func main() {
	configuration := tellus.NewConfiguration()
	configuration.Servers = tellus.ServerConfigurations{{URL: os.Getenv("TELLUS_URL")}}
	client := tellus.NewAPIClient(configuration)
	ctx := context.Background()
	if token := os.Getenv("TELLUS_TOKEN"); token != "" {
		ctx = context.WithValue(ctx, tellus.ContextAccessToken, token)
	}

	x := tellus.NewFloatParameter("x", -5, 10, "float")
	kernel := tellus.NewCategoricalParameter("kernel", []interface{}{"rbf", "poly"}, "categorical")
	degree := tellus.NewIntParameter("degree", 2, 5, "int")
	degree.SetWhen(map[string]interface{}{"kernel": []string{"poly"}})
	request := tellus.NewStudyRequest(
		fmt.Sprintf("generated-go-%d", time.Now().UnixNano()),
		[]tellus.Parameter{
			tellus.FloatParameterAsParameter(x),
			tellus.CategoricalParameterAsParameter(kernel),
			tellus.IntParameterAsParameter(degree),
		},
		[]tellus.Metric{*tellus.NewMetric("loss", tellus.GOAL_MINIMIZE)},
	)
	request.SetSeed(1)
	study, _, err := client.StudiesAPI.CreateStudy(ctx).StudyRequest(*request).IdempotencyKey(request.Name).Execute()
	done(err)

	for number := int64(0); number < 20; number++ {
		ask := tellus.NewAskRequest()
		ask.SetWorker("go")
		asked, _, err := client.TrialsAPI.Ask(ctx, study.Id).AskRequest(*ask).Execute()
		done(err)
		trial := asked.Trials[0]
		check(trial.Number == number, "trials are numbered")
		point := trial.Parameters
		power, hasDegree := point["degree"].(float64)
		check(hasDegree == (point["kernel"] == "poly"), point)
		tell := tellus.NewTellRequest()
		if number == 4 {
			tell.SetFailed("out of memory")
		} else {
			at := point["x"].(float64)
			loss := at*at + power
			tell.SetMetrics(map[string]tellus.MetricValue{"loss": tellus.Float64AsMetricValue(&loss)})
		}
		told, _, err := client.TrialsAPI.Tell(ctx, study.Id, number).TellRequest(*tell).Execute()
		done(err)
		check((told.State == "failed") == (number == 4), told.State)
	}
	other := tellus.NewTellRequest()
	other.SetFailed("something else")
	_, response, err := client.TrialsAPI.Tell(ctx, study.Id, 0).TellRequest(*other).Execute()
	var refused *tellus.GenericOpenAPIError
	check(errors.As(err, &refused) && response.StatusCode == 409, err)
	check(strings.Contains(string(refused.Body()), "already-told"), string(refused.Body()))

	study, _, err = client.StudiesAPI.GetStudy(ctx, study.Id).Execute()
	done(err)
	check(study.TrialCounts["completed"] == 19 && study.TrialCounts["failed"] == 1, study.TrialCounts)
	best, _, err := client.StudiesAPI.GetBest(ctx, study.Id).Execute()
	done(err)
	metrics := best.Trials[0].Metrics
	fmt.Printf("go: 20 trials, best %.4f\n", metrics["loss"].Value)
}
