//! Against a sort in f64 where the index is exact, against [`FlatIndex`] by recall where it is not, and damaged files.

mod files;
mod model;
mod recall;

use super::*;
use crate::error::ErrorKind;
use crate::index::FlatIndex;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// `count` rows around points of which there is one for every forty rows.
fn clustered(seed: u64, count: usize, dim: usize) -> Vec<f32> {
    let around = |row: u64| noise(row % (count as u64 / 40).max(1), dim);
    let rows =
        (0..count as u64).map(|row| (around(row.wrapping_mul(2_654_435_761)), noise(seed ^ (row + 1) << 20, dim)));
    rows.flat_map(|(near, noise)| near.into_iter().zip(noise).map(|(x, noise)| x + 0.3 * noise)).collect()
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// An index that builds graphs for partitions of more than `most_flat` rows.
fn index(dim: usize, most_flat: usize) -> HnswIndex {
    HnswIndex::of(Shape { kernel: Kernel::best(), dim, connectivity: 16, expansion: 64, searches: 2, most_flat })
}

#[test]
fn bad_arguments_are_refused_with_the_numbers() {
    let index = HnswIndex::new(3, 16, 64).unwrap();
    let message = |result: Result<()>, kind: ErrorKind| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        error.to_string()
    };
    let config = |dim, connectivity, expansion| {
        message(HnswIndex::new(dim, connectivity, expansion).map(drop), ErrorKind::Config)
    };
    assert_eq!(config(0, 16, 64), "expected 1 to 4096 dimensions, got 0");
    assert_eq!(config(3, 1, 64), "expected 2 to 256 as connectivity, got 1");
    assert_eq!(config(3, 257, 64), "expected 2 to 256 as connectivity, got 257");
    assert_eq!(config(3, 16, 0), "expected 1 to 65536 as expansion, got 0");
    assert_eq!(message(index.add(1, &[1.0], 0), ErrorKind::DimensionMismatch), "expected 3 dimensions, got 1");
    assert_eq!(message(index.add(1, &[0.0, f32::NAN, 1.0], 0), ErrorKind::InvalidVector), "component 1 is NaN");
    assert!(message(index.add_many(&[1], &[1.0; 6], 0), ErrorKind::Config).contains("2 rows and 1 ids"));
    assert!(message(index.search(&[1.0; 3], 0, 0.0, 0).map(drop), ErrorKind::Config).contains("got 0"));
    assert!(message(index.search(&[1.0; 3], 1, f64::NAN, 0).map(drop), ErrorKind::Config).contains("NaN"));
    assert_eq!(message(index.update(1, &[1.0; 3]), ErrorKind::UnknownId), "no row has id 1");
    assert!(index.is_empty() && !index.contains(1) && !index.remove(1));
}

#[test]
fn small_partitions_cost_little_more_than_their_rows() {
    let index = HnswIndex::new(32, 16, 64).unwrap();
    let matrix = noise(1, 320);
    for partition in 0..2000_u64 {
        let ids: Vec<u64> = (partition * 10..partition * 10 + 10).collect();
        index.add_many(&ids, &matrix, u128::from(partition)).unwrap();
    }
    assert!(index.memory_bytes() < 2000 * 10 * (32 * 4 + 120), "{}", index.memory_bytes());
    assert!((0..20_000).all(|id| index.remove(id)));
    assert!(index.memory_bytes() < 1 << 20, "{}", index.memory_bytes());
}

#[test]
fn memory_goes_with_the_rows() {
    let index = index(64, 100);
    let ids: Vec<u64> = (0..4000).collect();
    index.add_many(&ids, &clustered(1, 4000, 64), 3).unwrap();
    let full = index.memory_bytes();
    assert!((4000 * (64 * 4 + 200)..4000 * (64 * 4 + 500)).contains(&full), "{full}");
    assert!(ids[500..].iter().all(|id| index.remove(*id)));
    assert!(index.memory_bytes() < full / 3, "{} of {full}", index.memory_bytes());
    assert_eq!(index.len(), 500);
}

/// More threads than there is working memory for in a graph, and writers that rebuild it under them.
#[test]
fn many_threads_search_while_others_write() {
    let index = index(16, 200);
    let rows = clustered(1, 1200, 16);
    index.add_many(&(0..1000).collect::<Vec<_>>(), &rows[..16_000], 0).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let (index, rows) = (&index, &rows);
            scope.spawn(move || {
                for row in (thread..1000).step_by(7) {
                    let hits = index.search(&rows[row * 16..][..16], 3, -1.0, 0).unwrap();
                    assert!(hits.len() == 3 && hits.is_sorted_by(|a, b| a.score >= b.score));
                }
            });
        }
        for writer in 0..2_u64 {
            let (index, rows) = (&index, &rows);
            scope.spawn(move || {
                for i in 0..100 {
                    let (id, at) = (1000 + writer * 100 + i, (1000 + writer * 100 + i) as usize);
                    index.add(id, &rows[at * 16..][..16], 0).unwrap();
                    assert!(index.remove(id - 1000));
                    index.update(id, &rows[(at - 1) * 16..][..16]).unwrap();
                }
            });
        }
    });
    assert_eq!(index.len(), 1000);
    assert_eq!(index.search(&rows[999 * 16..][..16], 1000, -1.0, 0).unwrap().len(), 1000);
}
