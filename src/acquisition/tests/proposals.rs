//! What the algorithms propose: batches that are spread, and feasibility.

use serde_json::Map;

use super::*;
use crate::acquisition::propose::propose;
use crate::acquisition::registry::Maker;

/// Proposals of a batch.
fn batch(name: &str, beliefs: &Beliefs<'_>, space: &Space, q: usize) -> Vec<Vec<f64>> {
    let chosen = choose(name, &Map::new()).unwrap();
    let around = vec![beliefs.feasible[..space.dimension()].to_vec()];
    let search = Search { space, around: &around, taken: &|_| false, region: None, seed: 1 };
    let points = propose_batch(&chosen, beliefs, &search, q).unwrap();
    points.iter().map(|point| space.encode(point)).collect()
}

fn least_distance(places: &[Vec<f64>]) -> f64 {
    let mut least = f64::INFINITY;
    for (a, one) in places.iter().enumerate() {
        for other in &places[a + 1..] {
            let apart: f64 = one.iter().zip(other).map(|(x, y)| (x - y).powi(2)).sum();
            least = least.min(apart.sqrt());
        }
    }
    least
}

#[test]
fn every_algorithm_proposes_spread_batches_that_keep_off_awaited_points() {
    let fixture = fixture();
    let space = cube(2);
    let one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    let two = beliefs(vec![recorded(&fixture, 0), recorded(&fixture, 1)], numbers(&fixture["inputs"]));
    for algorithm in &ALGORITHMS {
        if matches!(algorithm.maker, Maker::Policy) {
            continue;
        }
        let mut beliefs = if algorithm.is_multi_objective { two.clone() } else { one.clone() };
        let mut places = batch(algorithm.name, &beliefs, &space, 3);
        assert_eq!(places.len(), 3, "{}", algorithm.name);
        // The whole batch is running: two more are wanted.
        beliefs.pending = places.concat();
        places.extend(batch(algorithm.name, &beliefs, &space, 2));
        // With noise the probability of improvement is best hardly beside an awaited point: repeats are all it asks for.
        let least = if algorithm.name == "probability_of_improvement" { 0.0 } else { 1e-3 };
        assert!(least_distance(&places) > least, "{}: {places:?}", algorithm.name);
    }
}

#[test]
fn batches_of_sixty_four_are_distinct() {
    let fixture = fixture();
    let space = cube(2);
    let one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    for name in ["log_expected_improvement", "noisy_expected_improvement", "thompson_sampling"] {
        let places = batch(name, &one, &space, 64);
        assert!(places.len() == 64 && least_distance(&places) > 0.0, "{name}");
    }
}

#[test]
fn moving_a_batch_as_a_whole_makes_it_worth_more() {
    let (space, process) = small(2);
    let tried: Vec<f64> = (0..4).flat_map(|i| process.input(i).to_vec()).collect();
    let believed = beliefs(vec![process.clone()], tried.clone());
    let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
    let none = Sum(Vec::new());
    let points = grid(2, 8);
    let improvement = BatchImprovement::new(&process, tried, f64::NEG_INFINITY, &none, (3, 128, 3));
    let worth = BatchValue::new(&process, &points, (3, 32, 3)).unwrap();
    let maxima = sample_maxima(&process, &search, 16, 7);
    let gain = Box::new(JointEntropySearch::new(&process, &maxima).unwrap());
    let information = BatchInformation { process: &process, gain };
    let all: [(&str, &dyn Batch); 3] = [
        ("noisy_expected_improvement", &improvement),
        ("knowledge_gradient", &worth),
        ("joint_entropy_search", &information),
    ];
    let mut gains = Vec::new();
    for (name, whole) in all {
        let chosen = choose(name, &Map::new()).unwrap();
        let value = |places: &[f64]| whole.value_with_gradient(places, &mut vec![0.0; places.len()]);
        // One after the other, as it is where a batch is too large to be moved.
        let mut awaiting = believed.clone();
        for _ in 0..3 {
            let point = propose(&chosen, &awaiting, &search).unwrap().unwrap();
            awaiting.pending.extend(space.encode(&point));
        }
        let turns = value(&awaiting.pending);
        let together = value(&super::super::batch::climb(&search, whole, &awaiting.pending));
        assert!(together >= turns, "{name}: {together} {turns}");
        gains.push(together - turns);
    }
    assert!(gains.iter().any(|gain| *gain > 0.01), "{gains:?}");
}

#[test]
fn feasibility_comes_first_and_weighs_after() {
    let fixture = fixture();
    let space = cube(2);
    let inputs = numbers(&fixture["inputs"]);
    // A constraint that is −x₀ ≥ −0.5: feasible on the left.
    let left: Vec<f64> = inputs.chunks_exact(2).map(|x| -x[0]).collect();
    let metric = process(&[Distance::Numeric; 2], &[0.8, 2.0], (1.0, -0.5, 1e-6), &inputs, &left);
    let mut beliefs = beliefs(vec![recorded(&fixture, 1)], inputs);
    beliefs.constraints =
        vec![Constraint { metric: Cow::Owned(metric), lower: f64::NEG_INFINITY, upper: -0.8 }];
    // Upper bound −0.8: only x₀ ≥ 0.8 is feasible.
    for name in ["log_expected_improvement", "noisy_expected_improvement", "knowledge_gradient"] {
        let place = &batch(name, &beliefs, &space, 1)[0];
        assert!(place[0] > 0.78, "{name}: {place:?}");
    }
    beliefs.objectives.clear();
    let place = &batch("knowledge_gradient", &beliefs, &space, 1)[0];
    assert!(place[0] > 0.85, "{place:?}");
}
