//! One coordinate that a kernel looks at, and the scaled squared distances along some of them.

use pulp::Simd;

use crate::surrogate::lanes::{Block, LANES, fused};
use crate::surrogate::points::{Distance, Points};

/// One coordinate that a kernel looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) coordinate: usize,
    pub(super) distance: Distance,
    pub(super) lengthscale: f64,
    /// 1/ℓ².
    pub(super) weight: f64,
}

impl Axis {
    /// With a positive lengthscale.
    pub(super) fn new(coordinate: usize, distance: Distance, lengthscale: f64) -> Self {
        let mut axis = Self { coordinate, distance, lengthscale, weight: 0.0 };
        axis.set_lengthscale(lengthscale);
        axis
    }

    pub(super) fn set_lengthscale(&mut self, lengthscale: f64) {
        self.lengthscale = lengthscale;
        self.weight = 1.0 / (lengthscale * lengthscale);
    }

    /// w δ.
    pub(super) fn squared(&self, u: &[f64], v: &[f64]) -> f64 {
        self.weight * self.distance.squared(u[self.coordinate], v[self.coordinate])
    }

    /// w Δ.
    pub(super) fn pull(&self, u: &[f64], v: &[f64]) -> f64 {
        self.weight * self.distance.difference(u[self.coordinate], v[self.coordinate])
    }

    /// 1 where a derivative along the axis exists at a point, else 0.
    pub(super) fn moves(&self, u: &[f64]) -> f64 {
        let moves = self.distance == Distance::Numeric && !u[self.coordinate].is_nan();
        f64::from(u8::from(moves))
    }
}

/// What the loops need to go from `x` to all points. Axes with a switched off point have two terms.
pub(super) fn terms_of<'a>(axes: &[Axis], x: &[f64], points: &'a Points, terms: &mut Vec<Term<'a>>) -> f64 {
    terms.clear();
    let mut apart = 0.0;
    for (index, axis) in axes.iter().enumerate() {
        let (along, beside) = axis.distance.place(x[axis.coordinate]);
        let (places, places_beside) = points.places(axis.coordinate);
        let is_label = axis.distance == Distance::Overlap;
        terms.push(Term { axis: index, places, from: along, weight: axis.weight, is_label });
        if !places_beside.is_empty() {
            let (places, from) = (places_beside, beside);
            terms.push(Term { axis: index, places, from, weight: axis.weight, is_label });
        } else if beside != 0.0 {
            apart += axis.weight * beside * beside;
        }
    }
    apart
}

/// One summand of r² between one point and all others.
pub(super) struct Term<'a> {
    pub(super) axis: usize,
    pub(super) places: &'a [Block],
    pub(super) from: f64,
    pub(super) weight: f64,
    pub(super) is_label: bool,
}

impl Term<'_> {
    /// δ to the points of a block.
    #[inline(always)]
    pub(super) fn squared(&self, block: usize) -> Block {
        let places = &self.places[block];
        let mut squared = [0.0; LANES];
        if self.is_label {
            for lane in 0..LANES {
                squared[lane] = Distance::differ(self.from, places[lane]);
            }
        } else {
            for lane in 0..LANES {
                let difference = self.from - places[lane];
                squared[lane] = difference * difference;
            }
        }
        squared
    }
}

/// r² to the points of a block.
#[inline(always)]
pub(super) fn squared_distances<S: Simd>(terms: &[Term<'_>], apart: f64, block: usize) -> Block {
    let mut sum = [apart; LANES];
    for term in terms {
        let squared = term.squared(block);
        for lane in 0..LANES {
            sum[lane] = fused::<S>(term.weight, squared[lane], sum[lane]);
        }
    }
    sum
}
