//! Gradients against finite differences.

use super::*;

#[test]
fn gradients_equal_finite_differences() {
    let fixture = fixture();
    let mut one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    one.pending = vec![0.7, 0.7];
    let two = beliefs(vec![recorded(&fixture, 0), recorded(&fixture, 1)], numbers(&fixture["inputs"]));
    let objective = &recorded(&fixture, 0);
    let space = cube(2);
    let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
    let maxima = sample_maxima(objective, &search, 6, 7);
    let all: Vec<(&str, Box<dyn Acquisition + '_>)> = vec![
        ("noisy", Box::new(LogNoisyExpectedImprovement::new(&one, 16, 1).unwrap())),
        ("exact noisy", Box::new(exact_noisy_expected_improvement(&one).unwrap())),
        ("kg", Box::new(discrete_knowledge_gradient(&one, &search).unwrap())),
        ("mes", Box::new(MaxValueEntropySearch { objective, maxima: maxima.values.clone() })),
        ("jes", Box::new(JointEntropySearch::new(objective, &maxima).unwrap())),
        ("pes", Box::new(PredictiveEntropySearch::new(objective, &maxima, &search).unwrap())),
        ("thompson", Box::new(ThompsonPath::new(objective, 1.0, 3))),
        ("ucb", Box::new(UpperConfidenceBound { objective, incumbent: 1.0, beta: 2.0 })),
        ("ehvi", Box::new(ExpectedHypervolumeImprovement::new(&two))),
        ("nehvi", Box::new(NoisyExpectedHypervolumeImprovement::new(&two, 8, 1).unwrap())),
        ("simulated", Box::new(SimulatedKnowledgeGradient::new(objective, &search, 6))),
    ];
    for (name, acquisition) in &all {
        for x in [[0.2, 0.4], [0.9, 0.95], [0.55, 0.1], [0.33, 0.71]] {
            let mut gradient = [0.0; 2];
            let value = acquisition.value_with_gradient(&x, &mut gradient);
            assert!((value - acquisition.value(&x)).abs() < 1e-8 * (1.0 + value.abs()), "{name}");
            // A simulated maximum is found to a tolerance only.
            let (h, tolerance) = if *name == "simulated" { (1e-3, 0.1) } else { (1e-6, 2e-4) };
            for i in 0..2 {
                let (mut above, mut below) = (x, x);
                above[i] += h;
                below[i] -= h;
                let slope = (acquisition.value(&above) - acquisition.value(&below)) / (2.0 * h);
                assert!(
                    (slope - gradient[i]).abs() < tolerance * (1.0 + slope.abs()),
                    "{name} {x:?} {i}: {slope} {gradient:?}"
                );
            }
        }
    }
}

#[test]
fn gradients_of_batches_equal_finite_differences() {
    let fixture = fixture();
    let inputs = numbers(&fixture["inputs"]);
    let objective = &recorded(&fixture, 0);
    let metric = &recorded(&fixture, 1);
    let space = cube(2);
    let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
    let maxima = sample_maxima(objective, &search, 6, 7);
    let none = Sum(Vec::new());
    let feasible = Sum(vec![Box::new(Bounded { metric, lower: -0.5, upper: 0.6 })]);
    let (known, samples) = (f64::NEG_INFINITY, (3, 16, 1));
    let noisy = BatchImprovement::new(objective, inputs.clone(), known, &none, samples);
    let weighted = BatchImprovement::new(objective, inputs.clone(), known, &feasible, samples);
    let gain = Box::new(MaxValueEntropySearch { objective, maxima: maxima.values.clone() });
    let joint = Box::new(JointEntropySearch::new(objective, &maxima).unwrap());
    let all: Vec<(&str, Box<dyn Batch + '_>)> = vec![
        ("noisy", Box::new(noisy)),
        ("weighted", Box::new(weighted)),
        ("improvement", Box::new(BatchImprovement::new(objective, Vec::new(), 1.5, &none, samples))),
        ("value", Box::new(BatchValue::new(objective, &inputs, (3, 8, 1)).unwrap())),
        ("max value", Box::new(BatchInformation { process: objective, gain })),
        ("joint", Box::new(BatchInformation { process: objective, gain: joint })),
    ];
    for (name, batch) in &all {
        for places in [[0.2, 0.97, 0.4, 0.85, 0.33, 0.71], [0.3, 0.9, 0.32, 0.93, 0.9, 0.2]] {
            let mut gradient = [0.0; 6];
            batch.value_with_gradient(&places, &mut gradient);
            for i in 0..6 {
                let (mut above, mut below) = (places, places);
                above[i] += 1e-6;
                below[i] -= 1e-6;
                let value = |places: &[f64]| batch.value_with_gradient(places, &mut [0.0; 6]);
                let slope = (value(&above) - value(&below)) / 2e-6;
                assert!(
                    (slope - gradient[i]).abs() < 2e-4 * (1.0 + slope.abs()),
                    "{name} {places:?} {i}: {slope} {gradient:?}"
                );
            }
        }
    }
}
