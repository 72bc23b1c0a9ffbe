//! Values and gradients of BoTorch's functions on the same posteriors.

use super::*;

/// Compares values and gradients with recorded ones, which are logarithms or not.
fn agrees(name: &str, acquisition: &dyn Acquisition, recorded: &Json, points: &[f64], is_log: bool) {
    let (values, gradients) = (numbers(&recorded["values"]), numbers(&recorded["gradients"]));
    for (k, x) in points.chunks_exact(2).enumerate() {
        let mut gradient = [0.0; 2];
        let value = acquisition.value_with_gradient(x, &mut gradient);
        let (expected, factor) = if is_log { (values[k], 1.0) } else { (values[k].ln(), 1.0 / values[k]) };
        assert!((value - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{name} {k}: {value} {expected}");
        for i in 0..2 {
            let slope = gradients[2 * k + i] * factor;
            assert!(
                (gradient[i] - slope).abs() < 3e-6 * (1.0 + slope.abs()),
                "{name} {k} {i}: {} {slope}",
                gradient[i]
            );
        }
    }
}

/// A mean over scramblings and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Scramblings that a sampled value is averaged over.
const SCRAMBLINGS: u64 = 16;
/// Standard errors of a difference that chance may take: with 15 degrees of freedom once in 2,000 comparisons.
const ERRORS: f64 = 4.5;

/// The logarithm of an acquisition and its gradient, for a seed and a place.
type Sampled<'a> = &'a dyn Fn(u64, &[f64]) -> (f64, Vec<f64>);

/// Compares values, and gradients where they were recorded, with sampled ones: both are known up to their Monte Carlo
/// errors, and where no sample may have reached to `floor`. `function` gives a logarithm and its gradient for a seed and
/// a place.
fn agrees_within_errors(
    name: &str,
    function: Sampled<'_>,
    recorded: &Json,
    places: &[f64],
    (width, floor): (usize, f64),
) {
    let column = |name: &str| recorded.get(name).map(numbers);
    let (values, errors) = (column("values").unwrap(), column("value_errors").unwrap());
    let slopes = column("gradients").zip(column("gradient_errors"));
    for (k, x) in places.chunks_exact(width).enumerate() {
        let runs: Vec<(f64, Vec<f64>)> = (0..SCRAMBLINGS)
            .map(|seed| {
                let (log, gradient) = function(seed, x);
                let value = log.exp();
                (value, gradient.iter().map(|slope| slope * value).collect())
            })
            .collect();
        let (value, error) = mean_and_error(&runs.iter().map(|run| run.0).collect::<Vec<_>>());
        let most = ERRORS * error.hypot(errors[k]) + floor;
        assert!((value - values[k]).abs() <= most, "{name} {k}: {value} {} within {most}", values[k]);
        // What is well sampled is known well enough for the comparison to say something.
        assert!(values[k] < 0.01 || most < 0.12 * values[k], "{name} {k}: {most} of {}", values[k]);
        if let Some((slopes, errors)) = &slopes {
            for i in 0..width {
                let of_runs: Vec<f64> = runs.iter().map(|run| run.1[i]).collect();
                let (slope, error) = mean_and_error(&of_runs);
                let expected = slopes[width * k + i];
                // Slopes of what hardly ever improves are larger than its values, by the lengthscale at most tenfold.
                let most = ERRORS * error.hypot(errors[width * k + i]) + 100.0 * floor;
                assert!((slope - expected).abs() <= most, "{name} {k} {i}: {slope} {expected} within {most}");
            }
        }
    }
}

fn at(acquisition: &dyn Acquisition, x: &[f64]) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; x.len()];
    let value = acquisition.value_with_gradient(x, &mut gradient);
    (value, gradient)
}

#[test]
fn closed_forms_equal_botorch() {
    let fixture = fixture();
    let points = numbers(&fixture["points"]);
    let functions = &fixture["functions"];
    let objective = &recorded(&fixture, 0);
    for name in ["log_expected_improvement", "log_expected_improvement_far"] {
        let incumbent = functions[name]["incumbent"].as_f64().unwrap();
        let acquisition = LogExpectedImprovement { objective, incumbent };
        agrees(name, &acquisition, &functions[name], &points, true);
    }
    let name = "log_probability_of_improvement";
    let target = functions[name]["incumbent"].as_f64().unwrap();
    agrees(name, &LogProbabilityOfImprovement { objective, target }, &functions[name], &points, true);
    // Seen from far below, softplus is the identity, so that its exponential is the bound.
    let name = "upper_confidence_bound";
    let bound = UpperConfidenceBound { objective, incumbent: -50.0, beta: 4.0 };
    let (values, gradients) = (numbers(&functions[name]["values"]), numbers(&functions[name]["gradients"]));
    for (k, x) in points.chunks_exact(2).enumerate() {
        let mut gradient = [0.0; 2];
        let value = bound.value_with_gradient(x, &mut gradient).exp();
        assert!((value - 50.0 - values[k]).abs() < 1e-6);
        (0..2).for_each(|i| assert!((gradient[i] * value - gradients[2 * k + i]).abs() < 1e-6));
    }
    let name = "log_constrained_expected_improvement";
    let number = |field: &str| functions[name][field].as_f64().unwrap();
    let metric = &recorded(&fixture, 1);
    let constrained = Sum(vec![
        Box::new(LogExpectedImprovement { objective, incumbent: number("incumbent") }),
        Box::new(Bounded { metric, lower: number("lower"), upper: number("upper") }),
    ]);
    agrees(name, &constrained, &functions[name], &points, true);
    let name = "joint_entropy_search";
    let maxima = Maxima {
        places: numbers(&functions[name]["optimal_inputs"]).chunks_exact(2).map(<[f64]>::to_vec).collect(),
        values: numbers(&functions[name]["optimal_outputs"]),
    };
    let acquisition = JointEntropySearch::new(objective, &maxima).unwrap();
    agrees(name, &acquisition, &functions[name], &points, false);
    for count in [2, 3] {
        let name = format!("expected_hypervolume_improvement_{count}");
        let objectives = (0..count).map(|k| recorded(&fixture, k)).collect();
        let mut beliefs = beliefs(objectives, numbers(&fixture["inputs"]));
        beliefs.reference = numbers(&functions[&name]["reference"]);
        let acquisition = ExpectedHypervolumeImprovement::new(&beliefs);
        agrees(&name, &acquisition, &functions[&name], &points, false);
    }
}

#[test]
fn sampled_forms_equal_botorch_within_their_error() {
    let fixture = fixture();
    let points = numbers(&fixture["points"]);
    let functions = &fixture["functions"];
    let one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    let noisy = |seed: u64, x: &[f64]| at(&LogNoisyExpectedImprovement::new(&one, 512, seed).unwrap(), x);
    // The second has the small values too: BoTorch's 32,768 samples hardly ever improve there.
    for (name, floor) in
        [("noisy_expected_improvement", 1e-5), ("noisy_expected_improvement_integrated", 1e-7)]
    {
        agrees_within_errors(name, &noisy, &functions[name], &points, (2, floor));
    }
    for count in [2, 3] {
        let name = format!("noisy_expected_hypervolume_improvement_{count}");
        let objectives = (0..count).map(|k| recorded(&fixture, k)).collect();
        let mut beliefs = beliefs(objectives, numbers(&fixture["inputs"]));
        beliefs.reference = numbers(&functions[&name]["reference"]);
        let noisy = |seed: u64, x: &[f64]| {
            at(&NoisyExpectedHypervolumeImprovement::new(&beliefs, 256, seed).unwrap(), x)
        };
        agrees_within_errors(&name, &noisy, &functions[&name], &points, (2, 0.0));
    }
}

#[test]
fn batches_equal_botorch_within_their_error() {
    let fixture = fixture();
    let (batches, inputs) = (numbers(&fixture["batches"]), numbers(&fixture["inputs"]));
    let objective = &recorded(&fixture, 0);
    let none = Sum(Vec::new());
    let name = "noisy_expected_improvement_of_batches";
    let together = |seed: u64, places: &[f64]| {
        let baseline = inputs.clone();
        let batch = BatchImprovement::new(objective, baseline, f64::NEG_INFINITY, &none, (2, 512, seed));
        let mut gradient = vec![0.0; 4];
        (batch.value_with_gradient(places, &mut gradient), gradient)
    };
    agrees_within_errors(name, &together, &fixture["functions"][name], &batches, (4, 0.0));
}
