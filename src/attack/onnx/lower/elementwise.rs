//! Activations, arithmetic, comparisons.

use super::super::fault::Refusal;
use super::super::kernel::elementwise::{Binary, Unary};
use super::super::kernel::select::Where;
use super::super::tensor::{Kind, broadcast};
use super::{Lowered, Lowering};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<super::Value>>, Refusal> {
    if let Some(function) = unary(l, operator)? {
        let x = l.input(0)?;
        let kind = if matches!(function, Unary::Not | Unary::IsNan) { Kind::Bool } else { x.kind };
        let value = l.map(function, &x)?;
        return Ok(Some(vec![super::Value { kind, ..value }]));
    }
    let values = match operator {
        "Add" => pair(l, Binary::Add),
        "Sub" => pair(l, Binary::Sub),
        "Mul" => pair(l, Binary::Mul),
        "Div" => {
            let is_integer = l.input(0)?.kind == Kind::Int;
            pair(l, if is_integer { Binary::Quotient } else { Binary::Div })
        }
        "Pow" => power(l),
        "PRelu" => pair(l, Binary::PRelu),
        "Mod" => pair(l, if l.node.integer("fmod", 0) == 0 { Binary::Mod } else { Binary::Remainder }),
        "Max" => fold(l, Binary::Max),
        "Min" => fold(l, Binary::Min),
        "Sum" => fold(l, Binary::Add),
        "Mean" => mean(l),
        "Equal" => compare(l, Binary::Equal, false),
        "Greater" => compare(l, Binary::Greater, false),
        "GreaterOrEqual" => compare(l, Binary::GreaterOrEqual, false),
        "Less" => compare(l, Binary::Greater, true),
        "LessOrEqual" => compare(l, Binary::GreaterOrEqual, true),
        "And" => compare(l, Binary::And, false),
        "Or" => compare(l, Binary::Or, false),
        "Xor" => compare(l, Binary::Xor, false),
        "Where" => choose(l),
        _ => return Ok(None),
    };
    values.map(Some)
}

fn unary(l: &Lowering<'_, '_>, operator: &str) -> Result<Option<Unary>, Refusal> {
    let node = l.node;
    Ok(Some(match operator {
        "Relu" => Unary::Relu,
        "LeakyRelu" => Unary::LeakyRelu { alpha: node.float("alpha", 0.01) },
        "ThresholdedRelu" => Unary::ThresholdedRelu { alpha: node.float("alpha", 1.0) },
        "Elu" => Unary::Elu { alpha: node.float("alpha", 1.0) },
        "Celu" => Unary::Celu { alpha: node.float("alpha", 1.0) },
        "Selu" => Unary::Selu {
            alpha: node.float("alpha", 1.673_263_192_176_818_8),
            gamma: node.float("gamma", 1.050_701_022_148_132_3),
        },
        "Tanh" => Unary::Tanh,
        "Sigmoid" => Unary::Sigmoid,
        "HardSigmoid" => {
            Unary::HardSigmoid { alpha: node.float("alpha", 0.2), beta: node.float("beta", 0.5) }
        }
        "HardSwish" => Unary::HardSwish,
        "Swish" => Unary::Swish { alpha: node.float("alpha", 1.0) },
        "Softplus" => Unary::Softplus,
        "Softsign" => Unary::Softsign,
        "Mish" => Unary::Mish,
        "Gelu" if node.text("approximate") == Some("tanh") => Unary::GeluTanh,
        "Gelu" => Unary::Gelu,
        "Shrink" => Unary::Shrink { lambda: node.float("lambd", 0.5), bias: node.float("bias", 0.0) },
        "Clip" => {
            let bound = |index: usize, attribute: &str, default: f64| -> Result<f64, Refusal> {
                match l.optional(index) {
                    Some(_) => Ok(l.known(index)?.first().copied().unwrap_or(default)),
                    None => Ok(node.float(attribute, default)),
                }
            };
            Unary::Clip { least: bound(1, "min", f64::NEG_INFINITY)?, most: bound(2, "max", f64::INFINITY)? }
        }
        "Neg" => Unary::Affine { scale: -1.0, shift: 0.0 },
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Sqrt" => Unary::Sqrt,
        "Reciprocal" => Unary::Reciprocal,
        "Abs" => Unary::Abs,
        "Sin" => Unary::Sin,
        "Cos" => Unary::Cos,
        "Tan" => Unary::Tan,
        "Asin" => Unary::Asin,
        "Acos" => Unary::Acos,
        "Atan" => Unary::Atan,
        "Sinh" => Unary::Sinh,
        "Cosh" => Unary::Cosh,
        "Asinh" => Unary::Asinh,
        "Acosh" => Unary::Acosh,
        "Atanh" => Unary::Atanh,
        "Erf" => Unary::Erf,
        "Floor" => Unary::Floor,
        "Ceil" => Unary::Ceil,
        "Round" => Unary::Round,
        "Sign" => Unary::Sign,
        "Not" => Unary::Not,
        "IsNaN" => Unary::IsNan,
        _ => return Ok(None),
    }))
}

fn pair(l: &mut Lowering<'_, '_>, function: Binary) -> Lowered {
    let (a, b) = (l.input(0)?, l.input(1)?);
    let kind = a.kind;
    Ok(vec![l.zip(function, &a, &b, kind)?])
}

/// Powers with the exponents that networks use are written without logarithms.
#[allow(clippy::float_cmp)]
fn power(l: &mut Lowering<'_, '_>) -> Lowered {
    let (a, b) = (l.input(0)?, l.input(1)?);
    let exponent = b.known().and_then(|known| if let [one] = known { Some(*one) } else { None });
    if let (Some(exponent), 1) = (exponent, b.length()) {
        let function = match exponent {
            2.0 => Some(Unary::Square),
            0.5 => Some(Unary::Sqrt),
            -1.0 => Some(Unary::Reciprocal),
            _ => None,
        };
        if let (Some(function), true) = (function, broadcast(&a.shape, &b.shape)? == a.shape) {
            return Ok(vec![l.map(function, &a)?]);
        }
    }
    let kind = a.kind;
    Ok(vec![l.zip(Binary::Pow, &a, &b, kind)?])
}

fn fold(l: &mut Lowering<'_, '_>, function: Binary) -> Lowered {
    let mut value = l.input(0)?;
    for index in 1..l.inputs.len() {
        let next = l.input(index)?;
        let kind = value.kind;
        value = l.zip(function, &value, &next, kind)?;
    }
    Ok(vec![value])
}

#[allow(clippy::cast_precision_loss)]
fn mean(l: &mut Lowering<'_, '_>) -> Lowered {
    let sum = fold(l, Binary::Add)?;
    let scale = 1.0 / l.inputs.len().max(1) as f64;
    sum.iter().map(|sum| l.map(Unary::Affine { scale, shift: 0.0 }, sum)).collect()
}

fn compare(l: &mut Lowering<'_, '_>, function: Binary, is_turned: bool) -> Lowered {
    let (a, b) = (l.input(usize::from(is_turned))?, l.input(usize::from(!is_turned))?);
    Ok(vec![l.zip(function, &a, &b, Kind::Bool)?])
}

fn choose(l: &mut Lowering<'_, '_>) -> Lowered {
    let (condition, a, b) = (l.input(0)?, l.input(1)?, l.input(2)?);
    let shape = broadcast(&condition.shape, &broadcast(&a.shape, &b.shape)?)?;
    let (condition, a, b) =
        (l.expanded(&condition, &shape)?, l.expanded(&a, &shape)?, l.expanded(&b, &shape)?);
    let length = a.length();
    Ok(vec![l.builder.emit(Where { length }, &[&condition, &a, &b], &shape, a.kind)?])
}
