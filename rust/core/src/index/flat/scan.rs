//! An exact search: few bits find the few rows that can be among the best, f64 decides between them.
//!
//! Three sieves, each with a bound that no row of the wanted score fails: signs (where the score is high enough for them to
//! tell rows apart), four bits a component, eight bits. What is left has an interval that its cosine lies in; the ends of
//! these intervals raise the bar for the rows that follow.
//!
//! **How sharp the sieves are.** Of vectors of real questions the signs let pass 0.03 % of the rows at a score of .9,
//! 0.8 % at .8, 3.4 % at .75, 13 % at .7 and 40 % at .65; the high nibbles let pass 0.001 %, .005 %, .009 %, .016 % and
//! .03 %. So below .7 the signs are left out, and the high nibbles are read from front to back: half of what int8 would
//! be, and nearly as sharp.
//!
//! **Where the time goes.** A third of a search in 10,000 rows was the table of signs, until it was made of whole
//! parts. With many queries at once signs and nibbles go at the speed of the instructions (0.7 ns for 32 rows and 8
//! components, 4 ns a row of nibbles) and are two thirds of all. A single query does not guess a score to begin with.

use std::ops::Range;

use super::candidates::{Candidate, Candidates};
use super::query::Query;
use super::rows::Rows;
use crate::error::Result;
use crate::index::Hit;
use crate::kernel::codes::{GROUP, HighShape};
use crate::kernel::{Kernel, prefetch, prefetch_for_later};

/// From this score on signs are looked at first. Below it they leave so many rows (an eighth at .7, two fifths at .65 of
/// the vectors of real questions) that reading the high nibbles of all of them, one after the other, is faster.
const SIGNS_FROM: f64 = 0.7;
/// Where many queries ask for the best of all rows, rows of this score are looked for first: if there are enough, the
/// others need not be looked at, and if not, what was found is a bar to begin with.
const GUESS: f64 = 0.8;
/// Rows that are sieved before the bar is looked at again, in whole groups.
const ROWS_AT_ONCE: usize = 16 * GROUP;
/// Queries that take turns on the same rows, which are still in a near cache then.
const QUERIES_AT_ONCE: usize = 256;
/// Queries that share the reading of signs.
const TABLES_AT_ONCE: usize = 4;

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
}

/// Rows of one part that are looked at together, in whole groups up to the part's last.
#[derive(Clone)]
struct Piece<'s> {
    rows: Rows<'s>,
    part: usize,
    slots: Range<usize>,
}

/// Rows of a piece that their high nibbles let pass.
#[derive(Default)]
struct Close<'s> {
    slots: Vec<usize>,
    /// Their products with the coarse numbers of the query.
    high_products: Vec<i32>,
    low_products: Vec<i32>,
    low: Vec<&'s [u8]>,
}

/// Rows of one part that signs let pass.
#[derive(Default)]
struct Left<'s> {
    part: usize,
    slots: Vec<usize>,
    nibbles: Vec<&'s [u8]>,
    shapes: Vec<&'s HighShape>,
}

struct Scan<'s, 'q> {
    kernel: Kernel,
    parts: &'s [Rows<'s>],
    k: usize,
    min_score: f64,
    runs: Vec<Run<'s, 'q>>,
    masks: [[u32; ROWS_AT_ONCE / GROUP]; TABLES_AT_ONCE],
    left: Left<'s>,
    close: Close<'s>,
    products: Vec<i32>,
}

impl<'s, 'q> Scan<'s, 'q> {
    fn new(kernel: Kernel, parts: &'s [Rows<'s>], queries: &'s mut [Query<'q>], k: usize, min_score: f64) -> Self {
        let run = |query| Run { query, candidates: Candidates::new(k, min_score), floor: min_score };
        let runs = queries.iter_mut().map(run).collect();
        let masks = [[0; ROWS_AT_ONCE / GROUP]; TABLES_AT_ONCE];
        Self {
            kernel,
            parts,
            k,
            min_score,
            runs,
            masks,
            left: Left::default(),
            close: Close::default(),
            products: vec![],
        }
    }

    fn run(&mut self) -> Result<()> {
        let all: Vec<usize> = (0..self.runs.len()).collect();
        if self.is_alone() || self.min_score >= GUESS {
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

    /// Whether there is one query. It waits for memory, where many find the rows in a near cache.
    fn is_alone(&self) -> bool {
        self.runs.len() == 1
    }

    /// Leads the given runs over all rows.
    fn scan(&mut self, runs: &[usize]) -> Result<()> {
        let (mut by_signs, mut by_high) = (vec![], vec![]);
        for (part, rows) in self.parts.iter().enumerate() {
            for first in (0..rows.len()).step_by(ROWS_AT_ONCE) {
                let piece = Piece { rows: *rows, part, slots: first..(first + ROWS_AT_ONCE).min(rows.len()) };
                by_signs.clear();
                by_high.clear();
                for run in runs {
                    let few = self.runs[*run].bar() >= SIGNS_FROM;
                    if few { by_signs.push(*run) } else { by_high.push(*run) }
                }
                let next = if self.is_alone() { [&[][..]; 2] } else { piece.next()? };
                let steps = by_signs.len().div_ceil(TABLES_AT_ONCE);
                for (step, runs) in by_signs.chunks(TABLES_AT_ONCE).enumerate() {
                    for bytes in next {
                        prefetch_for_later(share(bytes, step, steps));
                    }
                    self.sieve_by_signs(runs, &piece)?;
                }
                self.sieve_by_high(&by_high, &piece)?;
            }
        }
        // What is left of the last piece.
        if self.is_alone() { self.settle(0) } else { Ok(()) }
    }

    /// Scans the signs for at most four runs.
    fn sieve_by_signs(&mut self, runs: &[usize], piece: &Piece<'s>) -> Result<()> {
        let (signs, levels) = piece.signs()?;
        for run in runs {
            let run = &mut self.runs[*run];
            run.query.limit(run.candidates.bar().max(run.floor));
        }
        let table = |run: usize| self.runs[run].query.table();
        let mut masks = self.masks.each_mut().map(|masks| &mut masks[..levels.len() / GROUP]);
        if let [a, b, c, d] = *runs {
            self.kernel.scan_signs_of_four([table(a), table(b), table(c), table(d)], signs, levels, masks);
        } else {
            for (run, masks) in runs.iter().zip(&mut masks) {
                self.kernel.scan_signs(table(*run), signs, levels, masks);
            }
        }
        let whole = piece.high_in_memory()?;
        if self.is_alone() {
            // Those of the piece before, which have come from memory by now.
            self.settle(0)?;
            return self.left.collect(piece, whole, &self.masks[0]);
        }
        for (at, run) in runs.iter().enumerate() {
            self.left.collect(piece, whole, &self.masks[at])?;
            self.settle(*run)?;
        }
        Ok(())
    }

    fn sieve_by_high(&mut self, runs: &[usize], piece: &Piece<'s>) -> Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        let Piece { rows, part, slots } = piece.clone();
        let (high, shapes) = piece.high()?;
        let count = slots.len() * runs.len();
        self.products.resize(count.max(self.products.len()), 0);
        let products = &mut self.products[..count];
        let queries: Vec<&[i8]> = runs.iter().map(|run| self.runs[*run].query.coarse()).collect();
        self.kernel.dot_nibbles(&queries, high, products);
        for (run, products) in runs.iter().zip(products.chunks_exact(slots.len())) {
            let run = &mut self.runs[*run];
            let filter = run.query.by_high(run.bar());
            let masks = &mut self.masks[0][..slots.len().div_ceil(GROUP)];
            self.kernel.sieve_high(&filter, products, shapes, masks);
            for row in ones(masks) {
                self.close.push(rows, slots.start + row, products[row])?;
            }
            run.offer(self.kernel, rows, part, &mut self.close)?;
        }
        Ok(())
    }

    /// Looks at the high nibbles of the rows that signs let pass.
    fn settle(&mut self, run: usize) -> Result<()> {
        let count = self.left.slots.len();
        if count == 0 {
            return Ok(());
        }
        let (run, left) = (&mut self.runs[run], &mut self.left);
        self.products.resize(count.max(self.products.len()), 0);
        self.kernel.dot_nibbles_of(run.query.coarse(), &left.nibbles, &mut self.products[..count]);
        let filter = run.query.by_high(run.bar());
        let rows = self.parts[left.part];
        for ((slot, shape), product) in left.slots.iter().zip(&left.shapes).zip(&self.products) {
            if filter.passes(*product, **shape) {
                self.close.push(rows, *slot, *product)?;
            }
        }
        left.clear();
        run.offer(self.kernel, rows, left.part, &mut self.close)
    }
}

impl<'s> Piece<'s> {
    fn signs(&self) -> Result<(&'s [u8], &'s [u8])> {
        self.rows.signs(self.slots.start / GROUP..self.slots.end.div_ceil(GROUP))
    }

    fn high(&self) -> Result<(&'s [u8], &'s [HighShape])> {
        Ok((self.rows.high(self.slots.clone())?, self.rows.high_shapes(self.slots.clone())?))
    }

    /// The high nibbles where looking at some costs the same as looking at all. Those of a file are checked when they are
    /// touched, and come from the disk.
    fn high_in_memory(&self) -> Result<Option<(&'s [u8], &'s [HighShape])>> {
        if matches!(self.rows, Rows::Memory(_)) { self.high().map(Some) } else { Ok(None) }
    }

    /// What will be read of the piece that follows in the same part.
    fn next(&self) -> Result<[&'s [u8]; 2]> {
        let end = self.slots.end;
        let next = Self { slots: end..(end + ROWS_AT_ONCE).min(self.rows.len()), ..self.clone() };
        if next.slots.is_empty() {
            return Ok([&[]; 2]);
        }
        Ok([next.signs()?.0, next.high_in_memory()?.map_or(&[][..], |(high, _)| high)])
    }
}

impl<'s> Left<'s> {
    /// Takes the rows of a piece that have a bit set and asks for their high nibbles, among `whole` if that is given.
    fn collect(&mut self, piece: &Piece<'s>, whole: Option<(&'s [u8], &'s [HighShape])>, masks: &[u32]) -> Result<()> {
        self.part = piece.part;
        let first = piece.slots.start;
        for row in ones(&masks[..piece.slots.len().div_ceil(GROUP)]) {
            // The last group may not be full.
            if row < piece.slots.len() {
                let (nibbles, shape) = if let Some((high, shapes)) = whole {
                    let width = high.len() / shapes.len();
                    (&high[row * width..][..width], &shapes[row])
                } else {
                    let slots = first + row..first + row + 1;
                    (piece.rows.high(slots.clone())?, &piece.rows.high_shapes(slots)?[0])
                };
                prefetch(nibbles);
                prefetch(std::slice::from_ref(shape));
                self.slots.push(first + row);
                self.nibbles.push(nibbles);
                self.shapes.push(shape);
            }
        }
        Ok(())
    }

    /// Forgets the rows and keeps the room for others.
    fn clear(&mut self) {
        self.slots.clear();
        self.nibbles.clear();
        self.shapes.clear();
    }
}

impl Run<'_, '_> {
    /// Rows that certainly score less than this are left out.
    fn bar(&self) -> f64 {
        self.candidates.bar().max(self.floor)
    }

    /// Looks at all eight bits of rows, and takes them out of `close`.
    fn offer(&mut self, kernel: Kernel, rows: Rows<'_>, part: usize, close: &mut Close<'_>) -> Result<()> {
        close.low_products.resize(close.slots.len(), 0);
        kernel.dot_nibbles_of(self.query.coarse(), &close.low, &mut close.low_products);
        let products = close.high_products.iter().zip(&close.low_products);
        for ((slot, low), (high_product, low_product)) in close.slots.iter().zip(&close.low).zip(products) {
            let (coarse, shape) = ([*high_product, *low_product], rows.whole_shape(*slot)?);
            if self.query.upper_end(coarse, shape) >= self.bar() {
                let (high, mut fine) = (rows.high(*slot..slot + 1)?, [0; 2]);
                kernel.dot_nibbles_of(self.query.fine(), &[high, low], &mut fine);
                self.candidates.offer(self.query.estimate([coarse, fine], shape), part as u32, *slot as u32);
            }
        }
        close.clear();
        Ok(())
    }
}

impl<'s> Close<'s> {
    /// Takes a row unless it has been removed, and asks for what will be read of it.
    fn push(&mut self, rows: Rows<'s>, slot: usize, high_product: i32) -> Result<()> {
        if rows.is_live(slot) {
            let low = rows.low(slot..slot + 1)?;
            prefetch(low);
            self.slots.push(slot);
            self.high_products.push(high_product);
            self.low.push(low);
        }
        Ok(())
    }

    /// Forgets the rows and keeps the room for others.
    fn clear(&mut self) {
        self.slots.clear();
        self.high_products.clear();
        self.low.clear();
    }
}

/// The places of the bits that are set.
fn ones(masks: &[u32]) -> impl Iterator<Item = usize> {
    masks.iter().zip((0..).step_by(GROUP)).flat_map(|(mask, first)| {
        let mut left = *mask;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(first + bit)
        })
    })
}

/// The `at`-th of `count` parts of some bytes, about as long as the others.
fn share(bytes: &[u8], at: usize, count: usize) -> &[u8] {
    &bytes[bytes.len() * at / count..bytes.len() * (at + 1) / count]
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
