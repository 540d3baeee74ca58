//! A row in few bits: its signs, four bits a component, eight bits a component, and how far each is from the row.
//!
//! A component x of the rotated row is about `step · c` with c of −119 to 119, and c = 16 h + l with h and l of −8 to 7; the
//! nibbles h + 8 and l + 8 lie apart, because most rows are out once h is known.

use bytemuck::{Pod, Zeroable};

use super::bound::Levels;
use crate::kernel::Kernel;
use crate::kernel::codes::{HighShape, Nibbles, pack_nibbles, pack_signs};

/// The largest c: 16 · 7 + 7.
const LARGEST: f32 = 119.0;

/// What is known of a row beside its bits. Errors are rounded up and alignments down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// How well the signs fit: see [`Levels`].
    pub(super) level: u8,
    pub(super) high: HighShape,
    pub(super) whole: WholeShape,
}

/// How well the c fit.
#[derive(Debug, Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(super) struct WholeShape {
    /// What c counts.
    pub(super) step: f32,
    /// How long x − step · c is.
    pub(super) error: f32,
}

/// Where a row's bits go.
#[derive(Debug)]
pub(super) struct Places<'a> {
    pub(super) group: &'a mut [u8],
    pub(super) row_of_group: usize,
    pub(super) high: &'a mut [u8],
    pub(super) low: &'a mut [u8],
}

/// Writes the bits of a rotated row of length 1 (but for roundings) and returns its shape.
pub(super) fn encode(kernel: Kernel, rotated: &[f32], levels: Levels, places: Places<'_>) -> Shape {
    let Places { group, row_of_group, high: to_high, low: to_low } = places;
    pack_signs(rotated, group, row_of_group);
    let largest = rotated.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    // A little more than the quotient, so that no component rounds to 120.
    let step = largest / LARGEST * (1.0 + 2.0 * f32::EPSILON);
    let (mut high, mut low) = (vec![0; rotated.len()], vec![0; rotated.len()]);
    let nibbles = kernel.quantise(rotated, step, &mut high, &mut low);
    pack_nibbles(&high, to_high);
    pack_nibbles(&low, to_low);
    shape(nibbles, rotated.len(), step, levels)
}

fn shape(nibbles: Nibbles, dim: usize, step: f32, levels: Levels) -> Shape {
    let Nibbles { square, magnitude, high_product, high_square, off } = nibbles;
    let (length, high_length) = (square.sqrt(), f64::from(high_square).sqrt());
    let alignment = (high_product / (high_length * length)).min(1.0);
    Shape {
        level: levels.of(magnitude / ((dim as f64).sqrt() * length)),
        high: HighShape {
            scale: (1.0 / high_length) as f32,
            alignment: (alignment as f32).next_down(),
            distance: ((1.0 - alignment * alignment).max(0.0).sqrt() as f32).next_up(),
        },
        // The row is compared as if its length were exactly 1.
        whole: WholeShape { step, error: ((off.sqrt() + (length - 1.0).abs()) as f32).next_up() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::codes::{GROUP, NIBBLE_OFFSET};

    fn unit(dim: usize, seed: usize) -> Vec<f32> {
        let values: Vec<f64> =
            (0..dim).map(|i| ((i * 31 + seed * 17) % 97) as f64 - 48.0 + seed as f64 / 7.0).collect();
        let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        values.iter().map(|x| (x / length) as f32).collect()
    }

    fn nibble(packed: &[u8], at: usize) -> i32 {
        let byte = packed[at / 64 * 32 + at % 32];
        i32::from(if at % 64 < 32 { byte & 15 } else { byte >> 4 }) - NIBBLE_OFFSET
    }

    #[test]
    fn the_shape_is_what_the_bits_say() {
        for (dim, seed) in [(64, 1), (384, 2), (384, 3), (4096, 4)] {
            let mut row = unit(dim, seed);
            if seed == 3 {
                // All in one component: the others round to zero.
                row = vec![0.0; dim];
                row[77] = -1.0;
            }
            let (mut group, mut high, mut low) = (vec![0; dim / 8 * GROUP], vec![0; dim / 2], vec![0; dim / 2]);
            let places = Places { group: &mut group, row_of_group: 5, high: &mut high, low: &mut low };
            let shape = encode(Kernel::best(), &row, Levels::new(dim), places);
            let h: Vec<f64> = (0..dim).map(|at| f64::from(nibble(&high, at))).collect();
            let c: Vec<f64> = (0..dim).map(|at| h[at] * 16.0 + f64::from(nibble(&low, at))).collect();
            let length = h.iter().map(|h| h * h).sum::<f64>().sqrt();
            let alignment = h.iter().zip(&row).map(|(h, x)| h * f64::from(*x)).sum::<f64>() / length;
            let off =
                c.iter().zip(&row).map(|(c, x)| (c * f64::from(shape.whole.step) - f64::from(*x)).powi(2)).sum::<f64>();
            assert!((f64::from(shape.high.scale) - 1.0 / length).abs() < 1e-7 / length);
            assert!((f64::from(shape.high.alignment) - alignment).abs() < 1e-6 && alignment > 0.9);
            assert!(f64::from(shape.whole.error) >= off.sqrt() && f64::from(shape.whole.error) < off.sqrt() + 1e-5);
            assert!(
                c.iter().zip(&row).all(|(c, x)| (c * f64::from(shape.whole.step) - f64::from(*x)).abs()
                    <= f64::from(shape.whole.step) * 0.51)
            );
        }
    }
}
