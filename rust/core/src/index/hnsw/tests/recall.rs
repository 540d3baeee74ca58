//! What a walk through a graph finds, and that what it returns is true.

use super::*;

const DIM: usize = 48;
const ROWS: usize = 3000;
const K: usize = 10;

/// A graph and the truth, with the same rows.
struct Pair {
    graph: HnswIndex,
    flat: FlatIndex,
}

impl Pair {
    fn new(rows: &[f32]) -> Self {
        let ids: Vec<u64> = (0..(rows.len() / DIM) as u64).collect();
        let (graph, flat) = (index(DIM, 500), FlatIndex::new(DIM).unwrap());
        graph.add_many(&ids, rows, 0).unwrap();
        flat.add_many(&ids, rows, 0).unwrap();
        Self { graph, flat }
    }

    fn replace(&self, old: u64, new: u64, row: &[f32]) {
        assert!(self.graph.remove(old) && self.flat.remove(old).unwrap());
        self.graph.add(new, row, 0).unwrap();
        self.flat.add(new, row, 0).unwrap();
    }

    /// The share of the `K` best that is found, over some queries of the rows' kind.
    fn recall(&self) -> f64 {
        let queries = clustered(77, ROWS, DIM);
        let (mut found, mut all) = (0, 0);
        for query in queries.chunks_exact(DIM).step_by(30) {
            let (got, truth) =
                (self.graph.search(query, K, -1.0, 0).unwrap(), self.flat.search(query, K, -1.0, 0).unwrap());
            assert_eq!(got.len(), truth.len());
            let scores = self.flat.search(query, ROWS, -1.0, 0).unwrap();
            assert!(got.iter().all(|hit| scores.contains(hit)), "a score or an id that is not true");
            assert!(got.is_sorted_by(|a, b| (-a.score, a.id) < (-b.score, b.id)));
            found += got.iter().filter(|hit| truth.contains(hit)).count();
            all += truth.len();
        }
        f64::from(found as u32) / f64::from(all as u32)
    }
}

#[test]
fn most_of_the_nearest_rows_are_found() {
    let recall = Pair::new(&clustered(1, ROWS, DIM)).recall();
    assert!(recall >= 0.98, "{recall}");
}

#[test]
fn removed_rows_are_gone_and_hide_no_others() {
    let pair = Pair::new(&clustered(1, ROWS, DIM));
    for id in (0..ROWS as u64).filter(|id| id % 50 < 24) {
        assert!(pair.graph.remove(id) && pair.flat.remove(id).unwrap());
    }
    let recall = pair.recall();
    assert!(recall >= 0.98, "nearly half of the nodes vacant: {recall}");
    for id in (0..ROWS as u64).filter(|id| id % 50 == 49) {
        assert!(pair.graph.remove(id) && pair.flat.remove(id).unwrap());
    }
    let recall = pair.recall();
    assert!(recall >= 0.98, "built anew: {recall}");
}

#[test]
fn rows_that_take_over_nodes_are_found() {
    let pair = Pair::new(&clustered(1, ROWS, DIM));
    let full = pair.graph.memory_bytes();
    for round in 1..=3 {
        for (id, row) in (0..).zip(clustered(round, ROWS, DIM).chunks_exact(DIM)) {
            pair.replace((round - 1) * ROWS as u64 + id, round * ROWS as u64 + id, row);
        }
    }
    let recall = pair.recall();
    assert!(recall >= 0.98, "every row replaced three times: {recall}");
    assert!(pair.graph.memory_bytes() < full + full / 4, "{} of {full}", pair.graph.memory_bytes());
}

#[test]
fn rows_may_come_back_and_move() {
    let rows = clustered(1, ROWS, DIM);
    let pair = Pair::new(&rows);
    for (id, row) in (0..ROWS as u64).zip(rows.chunks_exact(DIM)).step_by(3) {
        pair.replace(id, id, row);
    }
    for (id, row) in (0..ROWS as u64).zip(clustered(2, ROWS, DIM).chunks_exact(DIM)).step_by(2) {
        pair.graph.update(id, row).unwrap();
        pair.flat.update(id, row).unwrap();
    }
    let recall = pair.recall();
    assert!(recall >= 0.98, "{recall}");
}

#[test]
fn no_row_scores_less_than_asked_for() {
    let rows = clustered(1, ROWS, DIM);
    let pair = Pair::new(&rows);
    for query in rows.chunks_exact(DIM).step_by(100) {
        let nearest = pair.flat.search(query, 6, -1.0, 0).unwrap();
        let bar = nearest[5].score;
        let hits = pair.graph.search(query, K, bar, 0).unwrap();
        assert!(hits.iter().all(|hit| hit.score >= bar));
        assert!(hits[0].score >= 1.0, "a row finds itself");
        assert_eq!(pair.graph.search(query, 1, 1.0, 0).unwrap().len(), 1);
        assert_eq!(pair.graph.search(query, 1, 1.5, 0).unwrap(), []);
    }
}

#[test]
fn asking_for_many_rows_gets_all_of_them() {
    let rows = clustered(1, ROWS, DIM);
    let pair = Pair::new(&rows);
    let query = &rows[..DIM];
    for k in [ROWS / 2, ROWS, usize::MAX] {
        assert_eq!(pair.graph.search(query, k, -1.0, 0).unwrap(), pair.flat.search(query, k, -1.0, 0).unwrap());
    }
}

/// A graph whose nodes are all equal to many others falls apart; here they share nodes.
#[test]
fn equal_rows_are_found_by_id() {
    let base = clustered(1, 1500, DIM);
    let rows: Vec<f32> = base.chunks_exact(DIM).flat_map(|row| row.repeat(4)).collect();
    let pair = Pair::new(&rows);
    for (at, query) in base.chunks_exact(DIM).enumerate().step_by(20) {
        let hits = pair.graph.search(query, 3, 1.0, 0).unwrap();
        assert_eq!(hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), [0, 1, 2].map(|id| 4 * at as u64 + id));
    }
}

/// Lengths at which the squares, or the products of two rows, leave the range of f32.
#[test]
fn rows_of_any_length_are_compared() {
    let mut rows = clustered(1, ROWS, DIM);
    for (row, scale) in rows.chunks_exact_mut(DIM).zip([1e-42, 1e-30, 1e-12, 1.0, 1e12, 1e30, 1e38].into_iter().cycle())
    {
        for x in row {
            *x *= scale;
        }
    }
    let recall = Pair::new(&rows).recall();
    assert!(recall >= 0.98, "{recall}");
}

#[test]
fn partitions_see_no_rows_of_others() {
    let rows = clustered(1, 2 * ROWS, DIM);
    let graph = index(DIM, 500);
    for partition in 0..2 {
        let ids: Vec<u64> = (0..ROWS as u64).map(|id| 2 * id + partition).collect();
        graph.add_many(&ids, &rows[partition as usize * ROWS * DIM..][..ROWS * DIM], u128::from(partition)).unwrap();
    }
    for query in rows.chunks_exact(DIM).step_by(100) {
        for partition in 0..2 {
            let hits = graph.search(query, K, -1.0, u128::from(partition)).unwrap();
            assert!(hits.len() == K && hits.iter().all(|hit| hit.id % 2 == partition));
        }
    }
    assert_eq!(graph.search(&rows[..DIM], K, -1.0, 2).unwrap(), []);
}
