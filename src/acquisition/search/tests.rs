//! The search against many restarts, in every kind of space, and what it must keep to.

use std::cell::RefCell;

use super::*;
use crate::acquisition::LogExpectedImprovement;
use crate::quasi_newton::{Bounds, minimize};
use crate::space::sobol::Sobol;
use crate::space::{ConstraintDraft, Coordinate, DomainDraft, Label, ParameterDraft, Scale, SpaceDraft};
use crate::surrogate::{Distance, GaussianProcess, Matern52};

fn float(name: &str, high: f64) -> ParameterDraft {
    let domain = DomainDraft::Float { low: 0.0, high, scale: Scale::Linear, step: None };
    ParameterDraft { name: name.into(), domain, when: Default::default() }
}

fn cube(d: usize) -> Space {
    let parameters = (0..d).map(|i| float(&format!("x{i}"), 1.0)).collect();
    Space::check(SpaceDraft { parameters, parameter_constraints: Vec::new() }).unwrap()
}

fn weights(
    names: &[(&str, f64)],
    lower: Option<f64>,
    upper: Option<f64>,
    equals: Option<f64>,
) -> ConstraintDraft {
    ConstraintDraft {
        sum: names.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect(),
        lower,
        upper,
        equals,
    }
}

/// A rough function of few coordinates, observed at `n` points of the space.
fn process(space: &Space, n: u64, lengthscale: f64) -> GaussianProcess {
    let d = space.dimension();
    let sobol = Sobol::new(d, 11);
    let inputs: Vec<f64> = (0..n)
        .flat_map(|i| space.encode(&space.repair(&space.encode(&space.at_uniform(&sobol.point(i))))))
        .collect();
    let outputs: Vec<f64> = inputs
        .chunks_exact(d)
        .map(|x| {
            let number = |i: usize| if x[i].is_nan() { 0.3 } else { x[i] };
            (7.0 * number(0)).sin() + (5.0 * number(d - 1) + number(0)).cos() - (number(d / 2) - 0.6).powi(2)
        })
        .collect();
    let distances: Vec<Distance> = space.coordinates().iter().map(|c| Distance::of(*c)).collect();
    let kernel = Matern52::new(&distances, &vec![lengthscale; d], 1.0);
    GaussianProcess::new(kernel, 0.0, &inputs, &outputs, &vec![1e-4; outputs.len()]).unwrap()
}

fn best_trials(process: &GaussianProcess) -> (f64, Vec<Vec<f64>>) {
    let mut order: Vec<usize> = (0..process.observations()).collect();
    order.sort_by(|&a, &b| process.mean_at_observation(b).total_cmp(&process.mean_at_observation(a)));
    (
        process.mean_at_observation(order[0]),
        order.iter().take(4).map(|&i| process.input(i).to_vec()).collect(),
    )
}

/// The best of quasi-Newton ascents from `restarts` uniform points of a box.
fn many_restarts(d: usize, acquisition: &dyn Acquisition, restarts: u64) -> f64 {
    let sobol = Sobol::new(d, 99);
    let objective = |x: &[f64], gradient: &mut [f64]| {
        gradient.fill(0.0);
        let value = acquisition.value_with_gradient(x, gradient);
        gradient.iter_mut().for_each(|g| *g = -*g);
        -value
    };
    let (lower, upper) = (vec![0.0; d], vec![1.0; d]);
    let bounds = Bounds { lower: &lower, upper: &upper, iterations: 30, tolerance: 1e-7 };
    (0..restarts)
        .map(|i| -minimize(&objective, &sobol.point(i), &bounds).value)
        .fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn is_within_one_percent_of_the_best_of_ten_thousand_restarts() {
    for (d, n, lengthscale) in [(2, 12, 0.3), (4, 20, 0.5), (6, 25, 0.8)] {
        let space = cube(d);
        let process = process(&space, n, lengthscale);
        let (incumbent, around) = best_trials(&process);
        let acquisition = LogExpectedImprovement { objective: &process, incumbent };
        let reference = many_restarts(d, &acquisition, 10_000);
        for seed in 0..5 {
            let search = Search { space: &space, around: &around, taken: &|_| false, region: None, seed };
            let (_, found) = best_of(&search, &acquisition).unwrap();
            assert!(found.value >= reference - 0.01, "d {d} seed {seed}: {} of {reference}", found.value);
        }
    }
}

#[test]
fn is_within_one_percent_in_mixed_spaces() {
    let choice = |name: &str, count: usize| ParameterDraft {
        name: name.into(),
        domain: DomainDraft::Categorical {
            choices: (0..count).map(|k| Label::Text(format!("{k}"))).collect(),
        },
        when: Default::default(),
    };
    let int = ParameterDraft {
        name: "k".into(),
        domain: DomainDraft::Int { low: 0, high: 30, scale: Scale::Linear, step: None },
        when: Default::default(),
    };
    let draft = SpaceDraft {
        parameters: vec![float("x", 1.0), choice("a", 4), int, choice("b", 3), float("y", 1.0)],
        parameter_constraints: Vec::new(),
    };
    let space = Space::check(draft).unwrap();
    let process = process(&space, 25, 0.5);
    let (incumbent, around) = best_trials(&process);
    let acquisition = LogExpectedImprovement { objective: &process, incumbent };
    // Every combination of the discrete values, each with restarts in the two numbers: 372 × 27 = 10,044.
    let mut reference = f64::NEG_INFINITY;
    for (a, k, b) in (0..4).flat_map(|a| (0..=30).flat_map(move |k| (0..3).map(move |b| (a, k, b)))) {
        let inner = |x: &[f64]| [x[0], f64::from(a) / 3.0, f64::from(k) / 30.0, f64::from(b) / 2.0, x[1]];
        let slice = Slice { acquisition: &acquisition, place: &inner };
        reference = reference.max(many_restarts(2, &slice, 27));
    }
    for seed in 0..5 {
        let search = Search { space: &space, around: &around, taken: &|_| false, region: None, seed };
        let (_, found) = best_of(&search, &acquisition).unwrap();
        assert!(found.value >= reference - 0.01, "seed {seed}: {} of {reference}", found.value);
    }
}

/// An acquisition in the first and last coordinates of a place.
struct Slice<'a> {
    acquisition: &'a dyn Acquisition,
    place: &'a dyn Fn(&[f64]) -> [f64; 5],
}

impl Acquisition for Slice<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.acquisition.value(&(self.place)(x))
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut whole = [0.0; 5];
        let value = self.acquisition.value_with_gradient(&(self.place)(x), &mut whole);
        gradient[0] += whole[0];
        gradient[1] += whole[4];
        value
    }
}

#[test]
fn a_mixture_is_searched_within_its_affine_subspace() {
    let draft = SpaceDraft {
        parameters: ["a", "b", "c", "d"].iter().map(|name| float(name, 2.0)).collect(),
        parameter_constraints: vec![
            weights(&[("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)], None, None, Some(2.0)),
            weights(&[("a", 1.0), ("b", -1.0)], Some(-0.3), None, None),
            weights(&[("c", 2.0), ("d", 1.0)], None, Some(2.5), None),
        ],
    };
    let space = Space::check(draft).unwrap();
    let process = process(&space, 15, 0.4);
    let (incumbent, around) = best_trials(&process);
    let acquisition = LogExpectedImprovement { objective: &process, incumbent };
    // The reference: a grid in three coordinates, the fourth being what is left.
    let mut reference = f64::NEG_INFINITY;
    let steps = 60;
    for i in 0..=steps {
        for j in 0..=steps {
            for k in 0..=steps {
                let unit = |i: i32| f64::from(i) / f64::from(steps);
                let (a, b, c) = (unit(i), unit(j), unit(k));
                let d = 1.0 - a - b - c;
                if (0.0..=1.0).contains(&d) && a - b >= -0.15 && 2.0 * c + d <= 1.25 {
                    reference = reference.max(acquisition.value(&[a, b, c, d]));
                }
            }
        }
    }
    for seed in 0..4 {
        let search = Search { space: &space, around: &around, taken: &|_| false, region: None, seed };
        let (point, found) = best_of(&search, &acquisition).unwrap();
        assert!(space.satisfies(&point));
        assert!((found.coordinates.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(found.value >= reference - 0.01, "seed {seed}: {} of {reference}", found.value);
    }
}

#[test]
fn stays_within_a_region_and_off_taken_points() {
    let space = cube(3);
    let process = process(&space, 10, 0.4);
    let (incumbent, around) = best_trials(&process);
    let acquisition = LogExpectedImprovement { objective: &process, incumbent };
    let region = Region { lower: vec![0.2, 0.0, 0.55], upper: vec![0.4, 1.0, 0.56] };
    let proposed = RefCell::new(Vec::new());
    for seed in 0..6 {
        let taken = |key: &PointKey| proposed.borrow().contains(key);
        let search =
            Search { space: &space, around: &around, taken: &taken, region: Some(&region), seed: seed / 2 };
        let (point, found) = best_of(&search, &acquisition).unwrap();
        for i in 0..3 {
            assert!(found.coordinates[i] >= region.lower[i] && found.coordinates[i] <= region.upper[i]);
        }
        let key = space.canonical(&point);
        assert!(!proposed.borrow().contains(&key));
        proposed.borrow_mut().push(key);
    }
}

#[test]
fn a_small_finite_space_is_gone_through_until_nothing_is_left() {
    let draft = SpaceDraft {
        parameters: vec![
            ParameterDraft {
                name: "k".into(),
                domain: DomainDraft::Int { low: 1, high: 12, scale: Scale::Log, step: None },
                when: Default::default(),
            },
            ParameterDraft {
                name: "b".into(),
                domain: DomainDraft::Categorical {
                    choices: vec![Label::Boolean(true), Label::Boolean(false)],
                },
                when: Default::default(),
            },
        ],
        parameter_constraints: Vec::new(),
    };
    let space = Space::check(draft).unwrap();
    let process = process(&space, 5, 0.5);
    let acquisition = LogExpectedImprovement { objective: &process, incumbent: 0.0 };
    let proposed = RefCell::new(Vec::new());
    let mut last = f64::INFINITY;
    for _ in 0..24 {
        let taken = |key: &PointKey| proposed.borrow().contains(key);
        let search = Search { space: &space, around: &[], taken: &taken, region: None, seed: 1 };
        let (point, found) = best_of(&search, &acquisition).unwrap();
        assert!(found.value <= last);
        last = found.value;
        proposed.borrow_mut().push(space.canonical(&point));
    }
    let taken = |key: &PointKey| proposed.borrow().contains(key);
    let search = Search { space: &space, around: &[], taken: &taken, region: None, seed: 1 };
    assert!(maximize(&search, &acquisition).is_none());
}

#[test]
fn functions_that_are_nowhere_finite_do_no_harm() {
    struct Broken;
    impl Acquisition for Broken {
        fn value(&self, x: &[f64]) -> f64 {
            if x[0] > 0.5 { f64::NAN } else { f64::NEG_INFINITY }
        }
        fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
            gradient.fill(f64::NAN);
            self.value(x)
        }
    }
    let space = cube(2);
    let search =
        Search { space: &space, around: &[vec![0.3, 0.3]], taken: &|_| false, region: None, seed: 1 };
    assert!(maximize(&search, &Broken).is_some());
    assert!(space.coordinates().iter().all(|c| *c == Coordinate::Continuous));
}
