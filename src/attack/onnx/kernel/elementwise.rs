//! Functions of single numbers and of pairs, with their derivatives.

use super::{Backward, Kernel};

/// A function of one number. Parameters are named as in the operators' definitions.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub(in super::super) enum Unary {
    Relu,
    LeakyRelu { alpha: f64 },
    ThresholdedRelu { alpha: f64 },
    Elu { alpha: f64 },
    Celu { alpha: f64 },
    Selu { alpha: f64, gamma: f64 },
    Tanh,
    Sigmoid,
    HardSigmoid { alpha: f64, beta: f64 },
    HardSwish,
    Swish { alpha: f64 },
    Softplus,
    Softsign,
    Mish,
    Gelu,
    GeluTanh,
    Shrink { lambda: f64, bias: f64 },
    Clip { least: f64, most: f64 },
    Affine { scale: f64, shift: f64 },
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Square,
    Abs,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Asinh,
    Acosh,
    Atanh,
    Erf,
    Floor,
    Ceil,
    Round,
    Truncate,
    Sign,
    Not,
    IsNan,
}

const SQRT_HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// √(2/π).
const GELU_SLOPE: f64 = 0.797_884_560_802_865_4;
const GELU_CUBE: f64 = 0.044_715;

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

impl Unary {
    /// Its value.
    pub(in super::super) fn value(self, x: f64) -> f64 {
        match self {
            // Written so that what is no number stays none.
            Self::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Self::ThresholdedRelu { alpha } => {
                if x <= alpha {
                    0.0
                } else {
                    x
                }
            }
            Self::Elu { alpha } => {
                if x < 0.0 {
                    alpha * libm::expm1(x)
                } else {
                    x
                }
            }
            Self::Celu { alpha } => {
                if x < 0.0 {
                    alpha * libm::expm1(x / alpha)
                } else {
                    x
                }
            }
            Self::Selu { alpha, gamma } => gamma * if x <= 0.0 { alpha * libm::expm1(x) } else { x },
            Self::Tanh => libm::tanh(x),
            Self::Sigmoid => sigmoid(x),
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Swish { alpha } => x * sigmoid(alpha * x),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Mish => x * libm::tanh(softplus(x)),
            Self::Gelu => 0.5 * x * (1.0 + libm::erf(x * SQRT_HALF)),
            Self::GeluTanh => 0.5 * x * (1.0 + libm::tanh(GELU_SLOPE * (x + GELU_CUBE * x * x * x))),
            Self::Shrink { lambda, bias } => {
                if x < -lambda {
                    x + bias
                } else if x > lambda {
                    x - bias
                } else {
                    0.0
                }
            }
            Self::Clip { least, most } => {
                let x = if x < least { least } else { x };
                if x > most { most } else { x }
            }
            Self::Affine { scale, shift } => scale * x + shift,
            Self::Exp => libm::exp(x),
            Self::Log => libm::log(x),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::Square => x * x,
            Self::Abs => x.abs(),
            Self::Sin => libm::sin(x),
            Self::Cos => libm::cos(x),
            Self::Tan => libm::tan(x),
            Self::Asin => libm::asin(x),
            Self::Acos => libm::acos(x),
            Self::Atan => libm::atan(x),
            Self::Sinh => libm::sinh(x),
            Self::Cosh => libm::cosh(x),
            Self::Asinh => libm::asinh(x),
            Self::Acosh => libm::acosh(x),
            Self::Atanh => libm::atanh(x),
            Self::Erf => libm::erf(x),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
            Self::Truncate => x.trunc(),
            Self::Sign => {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    x
                }
            }
            Self::Not => f64::from(x == 0.0),
            Self::IsNan => f64::from(x.is_nan()),
        }
    }

    /// Its derivative where it maps `x` to `y`; at kinks the one that PyTorch takes.
    fn slope(self, x: f64, y: f64) -> f64 {
        match self {
            Self::Relu => {
                if x > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::LeakyRelu { alpha } => {
                if x > 0.0 {
                    1.0
                } else {
                    alpha
                }
            }
            Self::ThresholdedRelu { alpha } => {
                if x > alpha {
                    1.0
                } else {
                    0.0
                }
            }
            Self::Elu { alpha } => {
                if x > 0.0 {
                    1.0
                } else {
                    y + alpha
                }
            }
            Self::Celu { alpha } => {
                if x > 0.0 {
                    1.0
                } else {
                    y / alpha + 1.0
                }
            }
            Self::Selu { alpha, gamma } => {
                if x > 0.0 {
                    gamma
                } else {
                    y + gamma * alpha
                }
            }
            Self::Tanh => 1.0 - y * y,
            Self::Sigmoid => y * (1.0 - y),
            Self::HardSigmoid { alpha, .. } => {
                if y > 0.0 && y < 1.0 {
                    alpha
                } else {
                    0.0
                }
            }
            Self::HardSwish => {
                if x <= -3.0 {
                    0.0
                } else if x >= 3.0 {
                    1.0
                } else {
                    x / 3.0 + 0.5
                }
            }
            Self::Swish { alpha } => {
                let s = sigmoid(alpha * x);
                s + alpha * x * s * (1.0 - s)
            }
            Self::Softplus => sigmoid(x),
            Self::Softsign => 1.0 / (1.0 + x.abs()).powi(2),
            Self::Mish => {
                let t = libm::tanh(softplus(x));
                t + x * (1.0 - t * t) * sigmoid(x)
            }
            Self::Gelu => {
                let density = libm::exp(-0.5 * x * x) * 0.5 * GELU_SLOPE;
                0.5 * (1.0 + libm::erf(x * SQRT_HALF)) + x * density
            }
            Self::GeluTanh => {
                let t = libm::tanh(GELU_SLOPE * (x + GELU_CUBE * x * x * x));
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU_SLOPE * (1.0 + 3.0 * GELU_CUBE * x * x)
            }
            Self::Shrink { lambda, .. } => f64::from(x.abs() > lambda),
            Self::Clip { least, most } => f64::from(x >= least && x <= most),
            Self::Affine { scale, .. } => scale,
            Self::Exp => y,
            Self::Log => 1.0 / x,
            Self::Sqrt => 0.5 / y,
            Self::Reciprocal => -y * y,
            Self::Square => 2.0 * x,
            Self::Abs => {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    0.0
                }
            }
            Self::Sin => libm::cos(x),
            Self::Cos => -libm::sin(x),
            Self::Tan => 1.0 + y * y,
            Self::Asin => 1.0 / (1.0 - x * x).sqrt(),
            Self::Acos => -1.0 / (1.0 - x * x).sqrt(),
            Self::Atan => 1.0 / (1.0 + x * x),
            Self::Sinh => libm::cosh(x),
            Self::Cosh => libm::sinh(x),
            Self::Asinh => 1.0 / (x * x + 1.0).sqrt(),
            Self::Acosh => 1.0 / (x * x - 1.0).sqrt(),
            Self::Atanh => 1.0 / (1.0 - x * x),
            Self::Erf => libm::exp(-x * x) * std::f64::consts::FRAC_2_SQRT_PI,
            Self::Floor
            | Self::Ceil
            | Self::Round
            | Self::Truncate
            | Self::Sign
            | Self::Not
            | Self::IsNan => 0.0,
        }
    }
}

/// A function of each number of a tensor.
pub(in super::super) struct Map {
    pub(in super::super) function: Unary,
    pub(in super::super) length: usize,
}

impl Kernel for Map {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        output.iter_mut().zip(inputs[0]).for_each(|(out, &x)| *out = self.function.value(x));
    }

    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        for (i, into) in adjoint.iter_mut().enumerate() {
            // Where nothing comes from above, an infinite slope adds nothing.
            if at.adjoint[i] != 0.0 {
                *into += at.adjoint[i] * self.function.slope(at.inputs[0][i], at.output[i]);
            }
        }
    }

    fn work(&self) -> u64 {
        let each = match self.function {
            Unary::Relu | Unary::LeakyRelu { .. } | Unary::Clip { .. } | Unary::Affine { .. } => 1,
            _ => 20,
        };
        each * self.length as u64
    }

    fn is_flat(&self) -> bool {
        matches!(
            self.function,
            Unary::Floor
                | Unary::Ceil
                | Unary::Round
                | Unary::Truncate
                | Unary::Sign
                | Unary::Not
                | Unary::IsNan
        )
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(in super::super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// Quotient of integers, towards zero.
    Quotient,
    Pow,
    Max,
    Min,
    PRelu,
    /// Remainder with the sign of the divisor.
    Mod,
    /// Remainder with the sign of the dividend.
    Remainder,
    Equal,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
}

impl Binary {
    #[allow(clippy::float_cmp)]
    fn value(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Quotient => (a / b).trunc(),
            Self::Pow => libm::pow(a, b),
            Self::Max => {
                if a.is_nan() || a >= b {
                    a
                } else {
                    b
                }
            }
            Self::Min => {
                if a.is_nan() || a <= b {
                    a
                } else {
                    b
                }
            }
            Self::PRelu => {
                if a < 0.0 {
                    a * b
                } else {
                    a
                }
            }
            Self::Mod => a - (a / b).floor() * b,
            Self::Remainder => a % b,
            Self::Equal => f64::from(a == b),
            Self::Greater => f64::from(a > b),
            Self::GreaterOrEqual => f64::from(a >= b),
            Self::And => f64::from(a != 0.0 && b != 0.0),
            Self::Or => f64::from(a != 0.0 || b != 0.0),
            Self::Xor => f64::from((a != 0.0) != (b != 0.0)),
        }
    }

    /// The derivative in the first or second argument.
    #[allow(clippy::float_cmp)]
    fn slope(self, which: usize, a: f64, b: f64) -> f64 {
        let of_first = which == 0;
        match self {
            Self::Add => 1.0,
            Self::Sub => {
                if of_first {
                    1.0
                } else {
                    -1.0
                }
            }
            Self::Mul => {
                if of_first {
                    b
                } else {
                    a
                }
            }
            Self::Div => {
                if of_first {
                    1.0 / b
                } else {
                    -a / (b * b)
                }
            }
            Self::Pow if of_first => {
                if b == 0.0 {
                    0.0
                } else {
                    b * libm::pow(a, b - 1.0)
                }
            }
            Self::Pow => {
                if a == 0.0 {
                    0.0
                } else {
                    libm::pow(a, b) * libm::log(a)
                }
            }
            // Equals share the gradient.
            Self::Max | Self::Min => {
                let sign = if self == Self::Max { 1.0 } else { -1.0 };
                let ahead = if of_first { sign * (a - b) } else { sign * (b - a) };
                if ahead > 0.0 {
                    1.0
                } else if ahead < 0.0 {
                    0.0
                } else {
                    0.5
                }
            }
            Self::PRelu => match (of_first, a > 0.0) {
                (true, true) => 1.0,
                (true, false) => b,
                (false, true) => 0.0,
                (false, false) => a,
            },
            Self::Mod | Self::Remainder => {
                if of_first {
                    1.0
                } else if self == Self::Mod {
                    -(a / b).floor()
                } else {
                    -(a / b).trunc()
                }
            }
            _ => 0.0,
        }
    }
}

/// Where the operands of a pair stand, for each number of the result.
pub(in super::super) enum Alignment {
    /// At the same place.
    Same,
    /// There is only one.
    One,
    /// The whole operand again and again.
    Cycle(usize),
    /// Anywhere.
    Table(Vec<u32>),
}

impl Alignment {
    /// Of an operand that is read at `index`.
    pub(in super::super) fn of(index: Vec<u32>, operand: usize) -> Self {
        if operand == 1 {
            return Self::One;
        }
        if operand > 0 && index.iter().enumerate().all(|(i, &from)| i % operand == from as usize) {
            return if operand == index.len() { Self::Same } else { Self::Cycle(operand) };
        }
        Self::Table(index)
    }

    fn at(&self, i: usize) -> usize {
        match self {
            Self::Same => i,
            Self::One => 0,
            Self::Cycle(length) => i % length,
            Self::Table(index) => index[i] as usize,
        }
    }
}

/// A function of the numbers of two tensors, broadcast.
pub(in super::super) struct Zip {
    pub(in super::super) function: Binary,
    pub(in super::super) left: Alignment,
    pub(in super::super) right: Alignment,
    pub(in super::super) length: usize,
}

impl Kernel for Zip {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        for (i, out) in output.iter_mut().enumerate() {
            *out = self.function.value(inputs[0][self.left.at(i)], inputs[1][self.right.at(i)]);
        }
    }

    fn backward(&self, at: &Backward<'_>, which: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        for (i, &g) in at.adjoint.iter().enumerate() {
            if g != 0.0 {
                let (l, r) = (self.left.at(i), self.right.at(i));
                let slope = self.function.slope(which, at.inputs[0][l], at.inputs[1][r]);
                adjoint[if which == 0 { l } else { r }] += g * slope;
            }
        }
    }

    fn work(&self) -> u64 {
        let each = if self.function == Binary::Pow { 40 } else { 2 };
        each * self.length as u64
    }

    fn is_flat(&self) -> bool {
        matches!(
            self.function,
            Binary::Quotient
                | Binary::Equal
                | Binary::Greater
                | Binary::GreaterOrEqual
                | Binary::And
                | Binary::Or
                | Binary::Xor
        )
    }
}
