//! The operators of `ai.onnx.ml` that scikit-learn's models become: scaling, linear models, ensembles of trees.

use std::collections::HashMap;

use super::super::fault::Refusal;
use super::super::kernel::dense::Dense;
use super::super::kernel::elementwise::{Binary, Unary};
use super::super::kernel::reduce::{Axis, Norm, Normalize, Reduce, Reduction};
use super::super::kernel::tree::{Branch, Ending, TreeNode, Trees};
use super::super::tensor::Kind;
use super::{Lowered, Lowering, Value};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
    let values = match operator {
        "ai.onnx.ml.Scaler" => scaler(l),
        "ai.onnx.ml.Normalizer" => normalizer(l),
        "ai.onnx.ml.LinearRegressor" => linear_regressor(l),
        "ai.onnx.ml.LinearClassifier" => linear_classifier(l),
        "ai.onnx.ml.TreeEnsembleRegressor" => regressor_trees(l),
        "ai.onnx.ml.TreeEnsembleClassifier" => classifier_trees(l),
        _ => return Ok(None),
    };
    values.map(Some)
}

/// Rows and features of the input.
fn table(x: &Value) -> Result<(usize, usize), Refusal> {
    match x.shape[..] {
        [features] => Ok((1, features)),
        [rows, features] => Ok((rows, features)),
        _ => Err(Refusal::invalid(format!("input of shape {:?}", x.shape))),
    }
}

fn scaler(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let vector = |name: &str| l.node.floats(name).unwrap_or(&[]).to_vec();
    let (offset, scale) = (vector("offset"), vector("scale"));
    let offset = Value::constant(vec![offset.len()], Kind::Float, offset);
    let scale = Value::constant(vec![scale.len()], Kind::Float, scale);
    let moved = l.zip(Binary::Sub, &x, &offset, Kind::Float)?;
    Ok(vec![l.zip(Binary::Mul, &moved, &scale, Kind::Float)?])
}

fn normalizer(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let (rows, features) = table(&x)?;
    let (before, reduction, after) = match l.node.text("norm").unwrap_or("MAX") {
        "L1" => (Unary::Abs, Reduction::Sum, None),
        "L2" => (Unary::Square, Reduction::Sum, Some(Unary::Sqrt)),
        _ => (Unary::Affine { scale: 1.0, shift: 0.0 }, Reduction::Max, None),
    };
    let powers = l.map(before, &x)?;
    let kernel = Reduce { axis: Axis { outer: rows, length: features, inner: 1 }, reduction };
    let mut length = l.builder.emit(kernel, &[&powers], &[rows, 1], Kind::Float)?;
    if let Some(after) = after {
        length = l.map(after, &length)?;
    }
    let value = l.zip(Binary::Div, &x.reshaped(vec![rows, features]), &length, Kind::Float)?;
    Ok(vec![value])
}

/// x Wᵀ + b with W by rows, one an output.
fn linear(l: &mut Lowering<'_, '_>, outputs: usize) -> Result<Value, Refusal> {
    let x = l.input(0)?;
    let (rows, features) = table(&x)?;
    let coefficients = l.node.floats("coefficients").unwrap_or(&[]);
    let intercepts = l.node.floats("intercepts").filter(|intercepts| !intercepts.is_empty());
    let wrong = outputs.checked_mul(features) != Some(coefficients.len())
        || outputs == 0
        || intercepts.is_some_and(|intercepts| intercepts.len() != outputs);
    if wrong {
        return Err(Refusal::invalid(format!(
            "{} coefficients for {features} features and {outputs} outputs",
            coefficients.len()
        )));
    }
    let weights: Vec<f64> =
        (0..features).flat_map(|i| (0..outputs).map(move |j| coefficients[j * features + i])).collect();
    let dense = Dense::new(rows, features, &weights, intercepts.map(<[f64]>::to_vec));
    l.builder.emit(dense, &[&x], &[rows, outputs], Kind::Float)
}

fn ended(l: &mut Lowering<'_, '_>, value: Value) -> Result<Value, Refusal> {
    match l.node.text("post_transform").unwrap_or("NONE") {
        "NONE" => Ok(value),
        "LOGISTIC" => l.map(Unary::Sigmoid, &value),
        "SOFTMAX" => {
            let (outer, length) = table(&value)?;
            let kernel = Normalize { axis: Axis { outer, length, inner: 1 }, norm: Norm::Softmax };
            l.builder.emit(kernel, &[&value], &value.shape, Kind::Float)
        }
        other => Err(Refusal::unsupported(format!("post_transform {other}"))),
    }
}

fn linear_regressor(l: &mut Lowering<'_, '_>) -> Lowered {
    let outputs = usize::try_from(l.node.integer("targets", 1)).unwrap_or(0);
    let value = linear(l, outputs)?;
    Ok(vec![ended(l, value)?])
}

/// How many classes there are.
fn classes(l: &Lowering<'_, '_>, texts: &str, integers: &str) -> usize {
    let texts = l.node.texts(texts).map_or(0, <[_]>::len);
    texts.max(l.node.integers(integers).map_or(0, <[_]>::len))
}

/// The label is not a number to optimize; it stands for itself without a value.
fn with_label(scores: Value) -> Vec<Value> {
    vec![Value::constant(vec![1], Kind::Text, vec![0.0]), scores]
}

fn linear_classifier(l: &mut Lowering<'_, '_>) -> Lowered {
    let outputs = classes(l, "classlabels_strings", "classlabels_ints");
    let scores = linear(l, outputs)?;
    Ok(with_label(ended(l, scores)?))
}

fn regressor_trees(l: &mut Lowering<'_, '_>) -> Lowered {
    let outputs = usize::try_from(l.node.integer("n_targets", 1)).unwrap_or(0);
    let ending = match l.node.text("post_transform").unwrap_or("NONE") {
        "NONE" => Ending::Plain,
        "LOGISTIC" => Ending::Logistic,
        "SOFTMAX" => Ending::Softmax,
        other => return Err(Refusal::unsupported(format!("post_transform {other}"))),
    };
    let ensemble = Ensemble { prefix: "target", sums: outputs, outputs, ending };
    Ok(vec![trees(l, &ensemble)?])
}

fn classifier_trees(l: &mut Lowering<'_, '_>) -> Lowered {
    let outputs = classes(l, "classlabels_strings", "classlabels_int64s");
    let ids = l.node.integers("class_ids").unwrap_or(&[]);
    // Two classes and one sum: the sum is that of the second class.
    let is_binary = outputs == 2 && ids.iter().all(|&id| id == ids[0]);
    let ending = match (l.node.text("post_transform").unwrap_or("NONE"), is_binary) {
        ("NONE", false) => Ending::Plain,
        ("NONE", true) => Ending::Complement,
        ("LOGISTIC", false) => Ending::Logistic,
        ("LOGISTIC", true) => Ending::LogisticComplement,
        ("SOFTMAX", false) => Ending::Softmax,
        (other, _) => return Err(Refusal::unsupported(format!("post_transform {other}"))),
    };
    let sums = if is_binary { 1 } else { outputs };
    let ensemble = Ensemble { prefix: "class", sums, outputs, ending };
    Ok(with_label(trees(l, &ensemble)?))
}

/// What distinguishes the regressor from the classifier.
struct Ensemble {
    prefix: &'static str,
    sums: usize,
    outputs: usize,
    ending: Ending,
}

fn trees(l: &mut Lowering<'_, '_>, ensemble: &Ensemble) -> Result<Value, Refusal> {
    let x = l.input(0)?;
    let (rows, features) = table(&x)?;
    let node = l.node;
    if node.has("nodes_values_as_tensor") || node.integer("aggregate_function", 0) != 0 {
        return Err(Refusal::unsupported(
            "thresholds in double precision, or an aggregate function by number",
        ));
    }
    let integers = |name: &str| node.integers(name).unwrap_or(&[]);
    let (trees, ids) = (integers("nodes_treeids"), integers("nodes_nodeids"));
    let (left, right) = (integers("nodes_truenodeids"), integers("nodes_falsenodeids"));
    let (at, missing) = (integers("nodes_featureids"), integers("nodes_missing_value_tracks_true"));
    let thresholds = node.floats("nodes_values").unwrap_or(&[]);
    let modes = node.texts("nodes_modes").unwrap_or(&[]);
    let n = trees.len();
    if [ids.len(), left.len(), right.len(), at.len(), thresholds.len(), modes.len()] != [n; 6] || n == 0 {
        return Err(Refusal::invalid("its lists of nodes differ in length"));
    }
    let index: HashMap<(i64, i64), usize> = (0..n).map(|i| ((trees[i], ids[i]), i)).collect();
    let mut leaves = leaves(l, ensemble)?;
    let mut nodes = Vec::with_capacity(n);
    let mut is_child = vec![false; n];
    for i in 0..n {
        let branch = match modes[i] {
            b"LEAF" => {
                nodes.push(TreeNode::Leaf(leaves.remove(&(trees[i], ids[i])).unwrap_or_default()));
                continue;
            }
            b"BRANCH_LEQ" => Branch::NotAbove,
            b"BRANCH_LT" => Branch::Below,
            b"BRANCH_GTE" => Branch::NotBelow,
            b"BRANCH_GT" => Branch::Above,
            b"BRANCH_EQ" => Branch::Equal,
            b"BRANCH_NEQ" => Branch::Unequal,
            _ => return Err(Refusal::unsupported("a comparison that it names")),
        };
        let child = |id: i64| {
            let known = index.get(&(trees[i], id)).copied();
            known.ok_or_else(|| Refusal::invalid(format!("tree {} has no node {id}", trees[i])))
        };
        let (left, right) = (child(left[i])?, child(right[i])?);
        let feature = usize::try_from(at[i]).ok().filter(|&feature| feature < features);
        let feature = feature.ok_or_else(|| Refusal::invalid(format!("feature {} of {features}", at[i])))?;
        for child in [left, right] {
            if std::mem::replace(&mut is_child[child], true) {
                return Err(Refusal::invalid("two nodes lead to the same one"));
            }
        }
        let missing = missing.get(i).is_some_and(|&tracks| tracks != 0);
        nodes.push(TreeNode::Inner { feature, branch, threshold: thresholds[i], missing, left, right });
    }
    let roots: Vec<usize> = (0..n).filter(|&i| !is_child[i]).collect();
    let depth = depth(&nodes, &roots).ok_or_else(|| Refusal::invalid("a tree that is cyclic"))?;
    let base = match node.floats("base_values").unwrap_or(&[]) {
        [] => vec![0.0; ensemble.sums],
        base if base.len() == ensemble.sums => base.to_vec(),
        _ => return Err(Refusal::invalid("it does not have one base value an output")),
    };
    #[allow(clippy::cast_precision_loss)]
    let share = match node.text("aggregate_function").unwrap_or("SUM") {
        "SUM" => 1.0,
        "AVERAGE" => 1.0 / roots.len().max(1) as f64,
        other => return Err(Refusal::unsupported(format!("aggregate_function {other}"))),
    };
    let kernel = Trees { features, nodes, roots, base, share, ending: ensemble.ending, rows, depth };
    l.builder.emit(kernel, &[&x], &[rows, ensemble.outputs], Kind::Float)
}

/// The weights of each leaf, by tree and node.
type Leaves = HashMap<(i64, i64), Vec<(usize, f64)>>;

fn leaves(l: &Lowering<'_, '_>, ensemble: &Ensemble) -> Result<Leaves, Refusal> {
    let prefix = ensemble.prefix;
    let integers = |name: &str| l.node.integers(&format!("{prefix}_{name}")).unwrap_or(&[]);
    let (trees, nodes, ids) = (integers("treeids"), integers("nodeids"), integers("ids"));
    let weights = l.node.floats(&format!("{prefix}_weights")).unwrap_or(&[]);
    if [nodes.len(), ids.len(), weights.len()] != [trees.len(); 3] {
        return Err(Refusal::invalid("its lists of leaves differ in length"));
    }
    let mut leaves = Leaves::new();
    for i in 0..trees.len() {
        let output = if ensemble.sums == 1 { Some(0) } else { usize::try_from(ids[i]).ok() };
        let output = output.filter(|&output| output < ensemble.sums);
        let output =
            output.ok_or_else(|| Refusal::invalid(format!("output {} of {}", ids[i], ensemble.sums)))?;
        leaves.entry((trees[i], nodes[i])).or_default().push((output, weights[i]));
    }
    Ok(leaves)
}

/// The longest way from a root to a leaf; `None` where some node is on no such way.
fn depth(nodes: &[TreeNode], roots: &[usize]) -> Option<usize> {
    let (mut level, mut depth, mut seen) = (roots.to_vec(), 0, 0);
    while !level.is_empty() {
        seen += level.len();
        if seen > nodes.len() {
            return None;
        }
        let children = level.iter().flat_map(|&at| match &nodes[at] {
            TreeNode::Leaf(_) => Vec::new(),
            TreeNode::Inner { left, right, .. } => vec![*left, *right],
        });
        level = children.collect();
        depth += 1;
    }
    (seen == nodes.len()).then_some(depth)
}
