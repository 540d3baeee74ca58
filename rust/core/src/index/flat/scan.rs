//! An exact search: few bits find the few rows that can be among the best, f64 decides between them.
//!
//! Three sieves, each with a bound that no row of the wanted score fails: signs (where the score is high enough for them to
//! tell rows apart), four bits a component, eight bits. What is left has an interval that its cosine lies in; the ends of
//! these intervals raise the bar for the rows that follow.

use std::ops::Range;

use super::candidates::{Candidate, Candidates};
use super::query::{Products, Query};
use super::rows::Rows;
use crate::error::Result;
use crate::index::Hit;
use crate::kernel::codes::GROUP;
use crate::kernel::codes::HighShape;
use crate::kernel::{Kernel, prefetch};

/// From this score on signs are looked at first. Below it they leave so many rows (an eighth at .7, two fifths at .65 of
/// the vectors of real questions) that reading the high nibbles of all of them, one after the other, is faster.
const SIGNS_FROM: f64 = 0.7;
/// The same where many queries share the rows, which are in a near cache then wherever they lie.
const SIGNS_FROM_OF_MANY: f64 = 0.67;
/// Where many queries ask for the best of all rows, rows of this score are looked for first: if there are enough, the
/// others need not be looked at, and if not, what was found is a bar to begin with.
const GUESS: f64 = 0.75;
/// Rows that are sieved before the bar is looked at again, in whole groups.
const ROWS_AT_ONCE: usize = 16 * GROUP;
/// Queries that take turns on the same rows, which are still in a near cache then.
const QUERIES_AT_ONCE: usize = 256;

/// The at most `k` best rows of at least `min_score` for each query, best first.
///
/// Queries are taken as they are needed: prepared, one is larger than the vector it was made of.
pub(super) fn search<'q>(
    kernel: Kernel,
    parts: &[Rows<'_>],
    mut queries: impl ExactSizeIterator<Item = Query<'q>>,
    k: usize,
    min_score: f64,
) -> Result<Vec<Vec<Hit>>> {
    let mut found = Vec::with_capacity(queries.len());
    while queries.len() > 0 {
        let mut now: Vec<_> = queries.by_ref().take(QUERIES_AT_ONCE).collect();
        let mut scan = Scan::new(kernel, parts, &mut now, k, min_score);
        scan.run()?;
        for run in scan.runs {
            found.push(decide(kernel, parts, run, k, min_score)?);
        }
    }
    Ok(found)
}

/// A query on its way, with what it has found.
struct Run<'s, 'q> {
    query: &'s mut Query<'q>,
    candidates: Candidates,
    /// Rows below this are of no interest for now.
    floor: f64,
    pending: Pending<'s>,
}

/// Rows that signs let pass. They are looked at one piece later, when what was asked of memory has come.
#[derive(Default)]
struct Pending<'s> {
    places: Vec<(u32, u32)>,
    nibbles: Vec<&'s [u8]>,
    shapes: Vec<&'s HighShape>,
}

struct Scan<'s, 'q> {
    kernel: Kernel,
    parts: &'s [Rows<'s>],
    k: usize,
    min_score: f64,
    signs_from: f64,
    runs: Vec<Run<'s, 'q>>,
    masks: [[u32; ROWS_AT_ONCE / GROUP]; 2],
    products: Vec<i32>,
}

impl<'s, 'q> Scan<'s, 'q> {
    fn new(kernel: Kernel, parts: &'s [Rows<'s>], queries: &'s mut [Query<'q>], k: usize, min_score: f64) -> Self {
        let run = |query| Run {
            query,
            candidates: Candidates::new(k, min_score),
            floor: min_score,
            pending: Pending::default(),
        };
        let signs_from = if queries.len() == 1 { SIGNS_FROM } else { SIGNS_FROM_OF_MANY };
        let runs = queries.iter_mut().map(run).collect();
        let masks = [[0; ROWS_AT_ONCE / GROUP]; 2];
        Self { kernel, parts, k, min_score, signs_from, runs, masks, products: vec![] }
    }

    fn run(&mut self) -> Result<()> {
        let all: Vec<usize> = (0..self.runs.len()).collect();
        if all.len() == 1 || self.min_score >= GUESS {
            return self.scan(&all);
        }
        self.runs.iter_mut().for_each(|run| run.floor = GUESS);
        self.scan(&all)?;
        let open: Vec<usize> = all.into_iter().filter(|run| !self.runs[*run].candidates.reach(GUESS)).collect();
        for run in &open {
            let run = &mut self.runs[*run];
            // From here on all rows that may be among the best are found, those that were found already again.
            run.candidates = Candidates::new(self.k, run.candidates.bar());
            run.floor = self.min_score;
        }
        self.scan(&open)
    }

    /// Leads the given runs over all rows.
    fn scan(&mut self, runs: &[usize]) -> Result<()> {
        let (mut by_signs, mut by_high) = (vec![], vec![]);
        for (part, rows) in self.parts.iter().enumerate() {
            for first in (0..rows.len()).step_by(ROWS_AT_ONCE) {
                let slots = first..(first + ROWS_AT_ONCE).min(rows.len());
                by_signs.clear();
                by_high.clear();
                for run in runs {
                    let few = self.runs[*run].bar() >= self.signs_from;
                    if few { by_signs.push(*run) } else { by_high.push(*run) }
                }
                for runs in by_signs.chunks(2) {
                    self.sieve_by_signs(runs, part, slots.clone())?;
                }
                self.sieve_by_high(&by_high, part, slots)?;
            }
        }
        runs.iter().try_for_each(|run| self.runs[*run].settle(self.kernel, self.parts, &mut self.products))
    }

    /// Scans the signs for one run or for two.
    fn sieve_by_signs(&mut self, runs: &[usize], part: usize, slots: Range<usize>) -> Result<()> {
        let rows = self.parts[part];
        let (signs, levels) = rows.signs(slots.start / GROUP..slots.end.div_ceil(GROUP))?;
        let [first, second] = self.masks.each_mut().map(|masks| &mut masks[..levels.len() / GROUP]);
        for run in runs {
            let run = &mut self.runs[*run];
            run.query.limit(run.candidates.bar().max(run.floor));
        }
        match runs {
            [one] => self.kernel.scan_signs(self.runs[*one].query.table(), signs, levels, first),
            [one, two, ..] => {
                let tables = [self.runs[*one].query.table(), self.runs[*two].query.table()];
                self.kernel.scan_signs_of_two(tables, signs, levels, [first, second]);
            }
            [] => {}
        }
        // Where many queries share the rows, these are near already.
        let fetch = self.runs.len() == 1;
        for (run, masks) in runs.iter().zip(&self.masks) {
            let run = &mut self.runs[*run];
            run.settle(self.kernel, self.parts, &mut self.products)?;
            for (mask, first) in masks[..levels.len() / GROUP].iter().zip((slots.start..).step_by(GROUP)) {
                let mut left = *mask;
                while left != 0 {
                    let slot = first + left.trailing_zeros() as usize;
                    left &= left - 1;
                    // The last group may not be full.
                    if slot < slots.end {
                        run.pending.push(rows, part, slot, fetch)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn sieve_by_high(&mut self, runs: &[usize], part: usize, slots: Range<usize>) -> Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        let rows = self.parts[part];
        let count = slots.len() * runs.len();
        self.products.resize(count.max(self.products.len()), 0);
        let products = &mut self.products[..count];
        let queries: Vec<&[i8]> = runs.iter().map(|run| self.runs[*run].query.coarse()).collect();
        self.kernel.dot_nibbles(&queries, rows.high(slots.clone())?, products);
        let shapes = rows.high_shapes(slots.clone())?;
        for (run, products) in runs.iter().zip(products.chunks_exact(slots.len())) {
            let run = &mut self.runs[*run];
            let filter = run.query.by_high(run.bar());
            let masks = &mut self.masks[0][..slots.len().div_ceil(GROUP)];
            self.kernel.sieve_high(&filter, products, shapes, masks);
            for (mask, first) in masks.iter().zip((0..).step_by(GROUP)) {
                let mut left = *mask;
                while left != 0 {
                    let row = first + left.trailing_zeros() as usize;
                    left &= left - 1;
                    run.offer(self.kernel, rows, part, slots.start + row, products[row])?;
                }
            }
        }
        Ok(())
    }
}

impl<'s> Pending<'s> {
    fn push(&mut self, rows: Rows<'s>, part: usize, slot: usize, fetch: bool) -> Result<()> {
        let (nibbles, shapes) = (rows.high(slot..slot + 1)?, rows.high_shapes(slot..slot + 1)?);
        if fetch {
            prefetch(nibbles);
            prefetch(shapes);
        }
        self.places.push((part as u32, slot as u32));
        self.nibbles.push(nibbles);
        self.shapes.push(&shapes[0]);
        Ok(())
    }

    /// Forgets the rows and keeps the room for others.
    fn clear(&mut self) {
        self.places.clear();
        self.nibbles.clear();
        self.shapes.clear();
    }
}

impl<'s> Run<'s, '_> {
    /// Rows that certainly score less than this are left out.
    fn bar(&self) -> f64 {
        self.candidates.bar().max(self.floor)
    }

    /// Looks at the high nibbles of the rows that are pending.
    fn settle(&mut self, kernel: Kernel, parts: &[Rows<'s>], products: &mut Vec<i32>) -> Result<()> {
        let count = self.pending.places.len();
        if count == 0 {
            return Ok(());
        }
        products.resize(count.max(products.len()), 0);
        kernel.dot_nibbles_of(self.query.coarse(), &self.pending.nibbles, &mut products[..count]);
        let (filter, pending) = (self.query.by_high(self.bar()), std::mem::take(&mut self.pending));
        for (((part, slot), shape), product) in pending.places.iter().zip(&pending.shapes).zip(&*products) {
            if filter.passes(*product, **shape) {
                self.offer(kernel, parts[*part as usize], *part as usize, *slot as usize, *product)?;
            }
        }
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    /// Looks at all eight bits of a row; `product` is that of the coarse numbers and the high nibbles.
    fn offer(&mut self, kernel: Kernel, rows: Rows<'_>, part: usize, slot: usize, product: i32) -> Result<()> {
        if !rows.is_live(slot) {
            return Ok(());
        }
        let (high, low) = (rows.high(slot..slot + 1)?, rows.low(slot..slot + 1)?);
        let (mut coarse, mut fine) = ([0], [0; 2]);
        kernel.dot_nibbles_of(self.query.coarse(), &[low], &mut coarse);
        kernel.dot_nibbles_of(self.query.fine(), &[high, low], &mut fine);
        let estimate = self.query.estimate(Products([[product, coarse[0]], fine]), rows.whole_shape(slot)?);
        self.candidates.offer(estimate, part as u32, slot as u32);
        Ok(())
    }
}

/// Scores the rows that are left in f64.
fn decide(kernel: Kernel, parts: &[Rows<'_>], run: Run<'_, '_>, k: usize, min_score: f64) -> Result<Vec<Hit>> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut bar = min_score;
    for candidate in run.candidates.finish() {
        // The candidates come by their upper ends: none that follows reaches the k-th best any more.
        if candidate.upper() < bar {
            break;
        }
        let Candidate { part, slot, .. } = candidate;
        let (rows, slot) = (parts[part as usize], slot as usize);
        let hit = Hit { id: rows.id(slot)?, score: run.query.score(kernel, &rows.values(slot)?) };
        if hit.score >= min_score {
            hits.push(hit);
        }
        if hits.len() >= k.saturating_add(k / 4) {
            keep_best(&mut hits, k);
            bar = hits[k - 1].score;
        }
    }
    keep_best(&mut hits, k);
    Ok(hits)
}

fn keep_best(hits: &mut Vec<Hit>, k: usize) {
    hits.sort_unstable_by(Hit::order);
    hits.truncate(k);
}
