//! The transposed derivative of every differentiable operator, against differences of its values at random places.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "onnx/mod.rs"]
mod onnx;

use onnx::{integer, integers, message, model, node, tensor};
use proptest::prelude::*;
use tellus::attack::onnx::{Network, Quota, Workspace};

fn attribute_integer(name: &str, value: i64) -> Vec<u8> {
    [message(1, name.as_bytes()), integer(3, value), integer(20, 2)].concat()
}

fn attribute_integers(name: &str, values: &[i64]) -> Vec<u8> {
    let each: Vec<u8> = values.iter().flat_map(|&value| integer(8, value)).collect();
    [message(1, name.as_bytes()), each, integer(20, 7)].concat()
}

fn attribute_float(name: &str, value: f32) -> Vec<u8> {
    let mut bytes = message(1, name.as_bytes());
    bytes.extend([(2 << 3) | 5]);
    bytes.extend(value.to_le_bytes());
    bytes.extend(integer(20, 1));
    bytes
}

fn attribute_text(name: &str, value: &str) -> Vec<u8> {
    [message(1, name.as_bytes()), message(4, value.as_bytes()), integer(20, 3)].concat()
}

/// Some numbers that are no round ones.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as f32) * 0.731 + 0.2).sin()).collect()
}

/// One to three nodes from x (1 × 24) to y for each operator, where x lies within ±2 and away from kinks by chance.
fn graphs() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut graphs: Vec<(&'static str, Vec<Vec<u8>>)> = Vec::new();
    let smooth = [
        "Relu",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "Tanh",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Softplus",
        "Softsign",
        "Mish",
        "Gelu",
        "ThresholdedRelu",
        "Shrink",
        "Exp",
        "Neg",
        "Abs",
        "Sin",
        "Cos",
        "Atan",
        "Sinh",
        "Cosh",
        "Asinh",
        "Erf",
        "Softmax",
        "LogSoftmax",
        "Identity",
        "Reciprocal",
        "Flatten",
        "LpNormalization",
    ];
    for operator in smooth {
        graphs.push((operator, vec![node(operator, "n", &["x"], &["y"], &[])]));
    }
    let squashed = node("Sigmoid", "s", &["x"], &["p"], &[]);
    for operator in ["Log", "Sqrt", "Asin", "Acos", "Atanh", "Tan"] {
        graphs.push((operator, vec![squashed.clone(), node(operator, "n", &["p"], &["y"], &[])]));
    }
    let swish = vec![attribute_float("alpha", 1.3)];
    graphs.push(("Swish", vec![node("Swish", "n", &["x"], &["y"], &swish)]));
    let tanh = vec![attribute_text("approximate", "tanh")];
    graphs.push(("Gelu tanh", vec![node("Gelu", "n", &["x"], &["y"], &tanh)]));
    let shaped =
        |shape: &[i64]| vec![integers("shape", shape), node("Reshape", "r", &["x", "shape"], &["m"], &[])];
    let with = |mut graph: Vec<Vec<u8>>, more: Vec<Vec<u8>>| {
        graph.extend(more);
        graph
    };
    // Pairs that both depend on x, broadcast: a row of (4, 6) against its column of means.
    let means = node("ReduceMean", "mean", &["m"], &["c"], &[attribute_integers("axes", &[1])]);
    for operator in ["Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Mean", "Sum"] {
        let pair = node(operator, "n", &["m", "c"], &["y"], &[]);
        graphs.push((operator, with(shaped(&[4, 6]), vec![means.clone(), pair])));
    }
    let power = vec![squashed.clone(), node("Pow", "n", &["p", "x"], &["y"], &[])];
    graphs.push(("Pow", power));
    let cube = vec![tensor("e", &[], &[3.0]), node("Pow", "n", &["x", "e"], &["y"], &[])];
    graphs.push(("Pow constant", cube));
    let clip = vec![
        tensor("a", &[], &[-0.5]),
        tensor("b", &[], &[0.7]),
        node("Clip", "n", &["x", "a", "b"], &["y"], &[]),
    ];
    graphs.push(("Clip", clip));
    for operator in [
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSumExp",
    ] {
        // Axes that are not adjacent; ReduceSum has them as an input in this version.
        let reduction = if operator == "ReduceSum" {
            vec![
                integers("axes", &[0, 2]),
                node(operator, "n", &["m", "axes"], &["y"], &[attribute_integer("keepdims", 0)]),
            ]
        } else {
            vec![node(
                operator,
                "n",
                &["m"],
                &["y"],
                &[attribute_integers("axes", &[0, -1]), attribute_integer("keepdims", 0)],
            )]
        };
        graphs.push((operator, with(shaped(&[2, 3, 4]), reduction)));
    }
    let axis = |value: i64| vec![attribute_integer("axis", value)];
    graphs.push((
        "Softmax axis",
        with(shaped(&[2, 3, 4]), vec![node("Softmax", "n", &["m"], &["y"], &axis(1))]),
    ));
    graphs.push((
        "CumSum",
        with(shaped(&[2, 3, 4]), vec![integers("at", &[1]), node("CumSum", "n", &["m", "at"], &["y"], &[])]),
    ));
    let perm = vec![attribute_integers("perm", &[2, 0, 1])];
    graphs.push(("Transpose", with(shaped(&[2, 3, 4]), vec![node("Transpose", "n", &["m"], &["y"], &perm)])));
    let slice = vec![
        integers("from", &[-1, 1]),
        integers("to", &[-100, 4]),
        integers("axes", &[0, 2]),
        integers("by", &[-1, 2]),
        node("Slice", "n", &["m", "from", "to", "axes", "by"], &["y"], &[]),
    ];
    graphs.push(("Slice", with(shaped(&[2, 3, 4]), slice)));
    let split = vec![
        integers("parts", &[1, 2]),
        node("Split", "n", &["m", "parts"], &["a", "b"], &axis(1)),
        node("Exp", "e", &["a"], &["c"], &[]),
        node("Concat", "k", &["b", "c", "b"], &["y"], &axis(1)),
    ];
    graphs.push(("Split and Concat", with(shaped(&[2, 3, 4]), split)));
    graphs.push((
        "Gather",
        with(
            shaped(&[2, 3, 4]),
            vec![integers("which", &[2, -3, 2]), node("Gather", "n", &["m", "which"], &["y"], &axis(1))],
        ),
    ));
    graphs.push((
        "Expand",
        with(
            shaped(&[1, 24, 1]),
            vec![integers("to", &[2, 1, 3]), node("Expand", "n", &["m", "to"], &["y"], &[])],
        ),
    ));
    graphs.push((
        "Tile",
        with(
            shaped(&[4, 6]),
            vec![integers("times", &[2, 3]), node("Tile", "n", &["m", "times"], &["y"], &[])],
        ),
    ));
    for mode in ["constant", "reflect", "edge", "wrap"] {
        let pad = vec![
            integers("pads", &[1, 2, 2, 1]),
            node("Pad", "n", &["m", "pads"], &["y"], &[attribute_text("mode", mode)]),
        ];
        graphs.push(("Pad", with(shaped(&[4, 6]), pad)));
    }
    let chosen = vec![
        tensor("zero", &[], &[0.0]),
        node("Greater", "g", &["x", "zero"], &["up"], &[]),
        squashed.clone(),
        node("Where", "n", &["up", "p", "x"], &["y"], &[]),
    ];
    graphs.push(("Where", chosen));
    let weights = || tensor("w", &[6, 5], &numbers(30));
    graphs.push((
        "MatMul",
        with(shaped(&[4, 6]), vec![weights(), node("MatMul", "n", &["m", "w"], &["y"], &[])]),
    ));
    let single = with(
        shaped(&[1, 24]),
        vec![tensor("w", &[24, 7], &numbers(168)), node("MatMul", "n", &["m", "w"], &["y"], &[])],
    );
    graphs.push(("MatMul of a row", single));
    let batched = vec![
        node("Transpose", "t", &["m"], &["u"], &[attribute_integers("perm", &[0, 2, 1])]),
        node("MatMul", "n", &["m", "u"], &["y"], &[]),
    ];
    graphs.push(("MatMul batched", with(shaped(&[2, 3, 4]), batched)));
    let gemm = vec![
        tensor("w", &[5, 6], &numbers(30)),
        tensor("b", &[5], &numbers(5)),
        node(
            "Gemm",
            "n",
            &["m", "w", "b"],
            &["y"],
            &[attribute_integer("transB", 1), attribute_float("alpha", 0.5), attribute_float("beta", 2.0)],
        ),
    ];
    graphs.push(("Gemm", with(shaped(&[4, 6]), gemm)));
    let image = || shaped(&[1, 2, 3, 4]);
    let convolution = vec![
        tensor("w", &[4, 1, 2, 2], &numbers(16)),
        tensor("b", &[4], &numbers(4)),
        node(
            "Conv",
            "n",
            &["m", "w", "b"],
            &["y"],
            &[
                attribute_integer("group", 2),
                attribute_integers("pads", &[1, 0, 1, 1]),
                attribute_integers("strides", &[1, 2]),
            ],
        ),
    ];
    graphs.push(("Conv", with(image(), convolution)));
    let transposed = vec![
        tensor("w", &[2, 3, 2, 3], &numbers(36)),
        node(
            "ConvTranspose",
            "n",
            &["m", "w"],
            &["y"],
            &[attribute_integers("strides", &[2, 1]), attribute_integers("pads", &[1, 0, 0, 1])],
        ),
    ];
    graphs.push(("ConvTranspose", with(image(), transposed)));
    for operator in ["MaxPool", "AveragePool"] {
        let pool = vec![node(
            operator,
            "n",
            &["m"],
            &["y"],
            &[
                attribute_integers("kernel_shape", &[2, 2]),
                attribute_integers("pads", &[0, 1, 1, 0]),
                attribute_integer("ceil_mode", 1),
            ],
        )];
        graphs.push((operator, with(image(), pool)));
    }
    for operator in ["GlobalAveragePool", "GlobalMaxPool"] {
        graphs.push((operator, with(image(), vec![node(operator, "n", &["m"], &["y"], &[])])));
    }
    let statistics = |names: &[&str]| -> Vec<Vec<u8>> {
        names.iter().map(|name| tensor(name, &[2], &[0.9, 1.4])).collect()
    };
    let batch = with(
        statistics(&["g", "b", "mu", "v"]),
        vec![node("BatchNormalization", "n", &["m", "g", "b", "mu", "v"], &["y"], &[])],
    );
    graphs.push(("BatchNormalization", with(image(), batch)));
    let instance = with(
        statistics(&["g", "b"]),
        vec![node("InstanceNormalization", "n", &["m", "g", "b"], &["y"], &[])],
    );
    graphs.push(("InstanceNormalization", with(image(), instance)));
    let group = with(
        statistics(&["g", "b"]),
        vec![node(
            "GroupNormalization",
            "n",
            &["m", "g", "b"],
            &["y"],
            &[attribute_integer("num_groups", 1)],
        )],
    );
    graphs.push(("GroupNormalization", with(image(), group)));
    for operator in ["LayerNormalization", "RMSNormalization"] {
        let layer = vec![tensor("g", &[4], &numbers(4)), node(operator, "n", &["m", "g"], &["y"], &[])];
        graphs.push((operator, with(shaped(&[2, 3, 4]), layer)));
    }
    let depth = vec![node("DepthToSpace", "n", &["m"], &["y"], &[attribute_integer("blocksize", 2)])];
    graphs.push(("DepthToSpace", with(shaped(&[1, 4, 2, 3]), depth)));
    let space = vec![node("SpaceToDepth", "n", &["m"], &["y"], &[attribute_integer("blocksize", 2)])];
    graphs.push(("SpaceToDepth", with(shaped(&[1, 1, 4, 6]), space)));
    graphs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn transposed_derivatives_are_those_of_the_values(
        x in prop::collection::vec(-2.0..2.0_f64, 24),
        direction in prop::collection::vec(-1.0..1.0_f64, 24),
    ) {
        for (name, graph) in graphs() {
            let network = Network::load(&model(24, &graph), &Quota::default())
                .unwrap_or_else(|fault| panic!("{name}: {fault}"));
            let mut workspace = Workspace::default();
            let y = network.evaluate(&x, &mut workspace);
            let u: Vec<f64> = (0..y.len()).map(|i| ((i as f64) * 1.37 + 0.4).cos()).collect();
            let gradient = network.pull_back(&u, &mut workspace);
            let mut along = |t: f64| -> f64 {
                let x: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + t * d).collect();
                network.evaluate(&x, &mut workspace).iter().zip(&u).map(|(y, u)| y * u).sum()
            };
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let (back, here, ahead) = (along(-1e-6), along(0.0), along(1e-6));
            let (left, right) = ((here - back) / 1e-6, (ahead - here) / 1e-6);
            let scale = 1.0 + slope.abs() + gradient.iter().map(|g| g.abs()).sum::<f64>();
            // Where the two sides differ there is a kink between; nothing is to be compared there.
            if (left - right).abs() <= 1e-3 * scale {
                let centred = (left + right) / 2.0;
                prop_assert!((centred - slope).abs() <= 1e-4 * scale, "{name}: {centred} {slope}");
            }
        }
    }
}
