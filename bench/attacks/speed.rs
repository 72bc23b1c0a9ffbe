//! How long values and gradients of networks take: `attack-speed FILE...`, one line a file, the least time of many runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

use std::time::{Duration, Instant};

use advisor_bench::attack::onnx::{Network, Quota, Workspace};

fn least(mut work: impl FnMut()) -> Duration {
    let (began, mut best) = (Instant::now(), Duration::MAX);
    while began.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
    }
    best
}

fn main() {
    for path in std::env::args().skip(1) {
        let network = Network::load(&std::fs::read(&path).unwrap(), &Quota::default()).unwrap();
        let x: Vec<f64> = (0..network.input_length()).map(|i| ((i as f64) * 0.37).sin()).collect();
        let mut workspace = Workspace::default();
        let u = vec![1.0; network.output_length()];
        let value = least(|| drop(network.evaluate(&x, &mut workspace)));
        let both = least(|| {
            network.evaluate(&x, &mut workspace);
            drop(network.pull_back(&u, &mut workspace));
        });
        println!("{path}: {} weights, value {value:?}, value and gradient {both:?}", network.weights());
    }
}
