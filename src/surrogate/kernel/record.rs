//! What a pass over all pairs of points keeps for the gradient that follows it: a fit asks for both at each step, and most of
//! the work of either is the same.

use crate::surrogate::lanes::{Block, LANES};

/// What a kernel keeps, in the order of its loops: column after column, of each the blocks down to the diagonal.
#[derive(Clone, Debug, Default)]
pub struct Record {
    blocks: Vec<Block>,
    parts: Vec<Record>,
}

impl Record {
    /// Room for `each` blocks a block of the upper triangle of `size` columns.
    pub(super) fn blocks_mut(&mut self, size: usize, each: usize) -> &mut [Block] {
        let above: usize = (0..size).map(|j| j / LANES + 1).sum();
        self.blocks.resize(above * each, [0.0; LANES]);
        &mut self.blocks
    }

    /// What was kept.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// A record of its own for each of some kernels.
    pub(super) fn parts_mut(&mut self, count: usize) -> &mut [Record] {
        self.parts.resize_with(count, Self::default);
        &mut self.parts
    }

    /// The records of the kernels.
    pub(super) fn parts(&self) -> &[Record] {
        &self.parts
    }
}
