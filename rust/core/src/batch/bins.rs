//! Which items go together by their cost, where that is settled when they come.

use super::limits::Bins;

/// Costs that quantiles are taken from.
const RECENT: usize = 4096;

/// Costs after which the first quantiles are taken.
const FIRST: u64 = 16;

/// Gives each item its bin.
///
/// Quantiles are those of the last 4,096 costs. They are taken anew whenever twice as many items came as before, and from
/// then on when the bins fill unevenly: cuts that stay where they are keep each bin narrow.
#[derive(Debug, Default)]
pub(super) struct Binner {
    /// How many bins are cut anew by what comes; 0: none.
    quantiles: usize,
    /// The largest cost of each bin but the last.
    cuts: Vec<u32>,
    recent: Vec<u32>,
    seen: u64,
    /// Items of each bin since the cuts were looked at.
    filled: Vec<u64>,
}

impl Binner {
    pub(super) fn new(bins: &Bins) -> Self {
        match bins {
            Bins::Adaptive => Self::default(),
            Bins::Quantiles(bins) => Self { quantiles: *bins as usize, ..Self::default() },
            Bins::Bounds(bounds) => Self { cuts: bounds.clone(), ..Self::default() },
        }
    }

    /// How many bins there are at most.
    pub(super) fn bins(&self) -> u32 {
        self.quantiles.max(self.cuts.len() + 1) as u32
    }

    /// The bin of an item of this cost, which is looked at by later cuts.
    pub(super) fn place(&mut self, cost: u32) -> u32 {
        if self.quantiles > 1 {
            self.observe(cost);
        }
        self.cuts.partition_point(|&cut| cut < cost) as u32
    }

    fn observe(&mut self, cost: u32) {
        let place = (self.seen % RECENT as u64) as usize;
        match self.recent.get_mut(place) {
            Some(oldest) => *oldest = cost,
            None => self.recent.push(cost),
        }
        self.seen += 1;
        let bin = self.cuts.partition_point(|&cut| cut < cost);
        self.filled.resize(self.quantiles, 0);
        self.filled[bin] += 1;
        let grows = self.seen <= RECENT as u64 && self.seen >= FIRST && self.seen.is_power_of_two();
        let full = self.seen > RECENT as u64 && place == RECENT - 1;
        if grows || (full && self.is_uneven()) {
            self.cut();
        }
        if grows || full {
            self.filled.fill(0);
        }
    }

    /// Whether the bins were filled more unevenly than chance explains, by the chi-square statistic at four deviations.
    fn is_uneven(&self) -> bool {
        let even = self.filled.iter().sum::<u64>() as f64 / self.quantiles as f64;
        let squares: f64 = self.filled.iter().map(|&filled| (filled as f64 - even).powi(2)).sum();
        // The cuts have an error of their own, as large as that of the counts.
        let freedom = 2.0 * (self.quantiles - 1) as f64;
        squares / even > freedom + 4.0 * (2.0 * freedom).sqrt()
    }

    fn cut(&mut self) {
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        let at = |bin: usize| sorted[(bin * sorted.len()).div_ceil(self.quantiles).max(1) - 1];
        self.cuts = (1..self.quantiles).map(at).collect();
    }
}
