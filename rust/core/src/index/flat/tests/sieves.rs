//! Searches in which few bits decide, against a sort in f64: real sizes, where most rows are left out unread.

use super::*;

/// Rows around centres, so that at every score some are near: `spread` 0 puts all on the centres.
fn clustered(rows: usize, dim: usize, centres: u64, spread: f32) -> Vec<f32> {
    let row = |row: usize| {
        let centre = noise(row as u64 % centres, dim);
        let own = noise(1_000_000 + row as u64, dim);
        // Further away with each round, from the centre itself to as far as two random rows are.
        let share = spread * (row as f32 / rows as f32);
        centre.into_iter().zip(own).map(move |(centre, own)| centre + share * own).collect::<Vec<_>>()
    };
    (0..rows).flat_map(row).collect()
}

/// Scores of one kernel agree with the other's to the bit and with a plain sum nearly: hits are compared by their ids, but
/// for neighbours whose scores differ by less than the plain sum's roundings.
fn assert_same(got: &[Hit], expected: &[Hit], all: &[Hit], what: &str) {
    let close = |a: f64, b: f64| (a - b).abs() < 1e-13;
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!(close(got.score, expected.score), "{what}: {got:?} {expected:?}");
        let own = all.iter().find(|hit| hit.id == got.id).unwrap();
        assert!(close(own.score, got.score), "{what}: {got:?} {own:?}");
    }
}

#[test]
fn every_kernel_finds_what_a_sort_finds() {
    for (dim, rows) in [
        (1, 50),
        (3, 200),
        (33, 700),
        (64, 600),
        (130, 400),
        (384, 2_500),
        (768, 400),
        (1_100, 300),
        (3_000, 80),
        (4_096, 70),
    ] {
        let matrix = clustered(rows, dim, 7, 1.5);
        let ids: Vec<u64> = (0..rows as u64).rev().collect();
        for kernel in Kernel::available() {
            let index = FlatIndex::with_kernel(dim, kernel).unwrap();
            index.add_many(&ids, &matrix, 9).unwrap();
            let queries: Vec<f32> = (0..6).flat_map(|query| noise(query, dim)).collect();
            for (query, vector) in queries.chunks_exact(dim).enumerate() {
                let mut model = Model::default();
                model.0.extend(ids.iter().zip(matrix.chunks_exact(dim)).map(|(id, row)| (*id, (9, row.to_vec()))));
                let all = model.search(vector, rows, -1.0, 9);
                for score in [0.97, 0.9, 0.8, 0.75, 0.7, 0.5, 0.0, -0.5, -1.0] {
                    // Between two scores, not on one.
                    let score = all.iter().map(|hit| hit.score).find(|s| *s < score).map_or(score, |s| s - 1e-9);
                    for k in [1, 3, 20] {
                        let what = format!("{kernel:?} dim {dim} query {query} score {score} k {k}");
                        let expected: Vec<Hit> = all.iter().copied().filter(|hit| hit.score >= score).take(k).collect();
                        assert_same(&index.search(vector, k, score, 9).unwrap(), &expected, &all, &what);
                        let many = index.search_many(&queries, k, score, 9).unwrap();
                        assert_same(&many[query], &expected, &all, &what);
                    }
                }
            }
        }
    }
}

/// More queries than take turns at once, of which some find what they guess and some do not.
#[test]
fn many_queries_find_what_one_finds() {
    let (dim, rows) = (96, 3_000);
    let index = FlatIndex::new(dim).unwrap();
    index.add_many(&(0..rows).collect::<Vec<_>>(), &clustered(rows as usize, dim, 40, 2.0), 0).unwrap();
    let queries: Vec<f32> = (0..600)
        .flat_map(|query| {
            let (near, far) = (noise(query % 40, dim), noise(9_000 + query, dim));
            near.into_iter().zip(far).map(move |(near, far)| near + far * (query % 7) as f32 * 0.4)
        })
        .collect();
    for (k, score) in [(1, -1.0), (5, -1.0), (3, 0.4), (1, 0.8)] {
        let found = index.search_many(&queries, k, score, 0).unwrap();
        for (vector, found) in queries.chunks_exact(dim).zip(found) {
            assert_eq!(found, index.search(vector, k, score, 0).unwrap());
        }
    }
}

/// More rows than the first chunk of a partition holds, and than the second.
#[test]
fn chunks_fill_up_and_empty_again() {
    let (dim, rows) = (2, 83_000_u64);
    let index = FlatIndex::new(dim).unwrap();
    let row = |id: u64| [id as f32, 1e5 - id as f32];
    for ids in [0..10, 10..16_384, 16_384..16_400, 16_400..81_920, 81_920..rows] {
        let matrix: Vec<f32> = ids.clone().flat_map(row).collect();
        index.add_many(&ids.collect::<Vec<_>>(), &matrix, 1).unwrap();
    }
    let found = |id: u64| index.search(&row(id), 1, 0.999, 1).unwrap()[0].id;
    let some = || (0..rows).step_by(997).chain([16_383, 16_384, 81_919, 81_920, rows - 1]);
    assert!(some().all(|id| found(id) == id));
    for id in some() {
        index.update(id, &[1.0, -1.0 - id as f32]).unwrap();
    }
    assert_eq!(index.search(&[1.0, -1e9], 1, 0.9, 1).unwrap()[0].id, rows - 1);
    assert!((0..rows - 3).all(|id| index.remove(id).unwrap()));
    assert_eq!((index.len(), found(rows - 2)), (3, rows - 2));
}

/// Rows that come in all sizes, and some that f32 cannot square.
#[test]
fn lengths_do_not_matter() {
    let dim = 100;
    let matrix = clustered(600, dim, 5, 1.0);
    let scales = [1.0, 1e-30, 3e30, f32::MIN_POSITIVE, 1e-3];
    let scaled =
        matrix.chunks_exact(dim).enumerate().flat_map(|(row, values)| values.iter().map(move |x| x * scales[row % 5]));
    let scaled: Vec<f32> = scaled.collect();
    let ids: Vec<u64> = (0..600).collect();
    let (index, other) = (FlatIndex::new(dim).unwrap(), FlatIndex::new(dim).unwrap());
    index.add_many(&ids, &scaled, 0).unwrap();
    other.add_many(&ids, &matrix, 0).unwrap();
    for query in 0..5 {
        let vector = noise(query, dim);
        for score in [0.9, 0.6, -1.0] {
            let (found, expected) =
                (index.search(&vector, 9, score, 0).unwrap(), other.search(&vector, 9, score, 0).unwrap());
            assert_eq!(
                found.iter().map(|hit| hit.id).collect::<Vec<_>>(),
                expected.iter().map(|hit| hit.id).collect::<Vec<_>>()
            );
        }
    }
}

/// Rows in a file, rows in memory, rows that were removed and rows that were changed, through several generations.
#[test]
fn a_file_and_what_came_after_it_are_one_index() {
    let dim = 40;
    let (file, mut model) = (TempFile::new(), Model::default());
    let mut index = FlatIndex::new(dim).unwrap();
    let mut numbers = noise(77, 4_000).into_iter().map(|x| ((x + 1.0) * 1e6) as u64);
    for generation in 0..4_u64 {
        for _ in 0..400 {
            let (id, name) = (numbers.next().unwrap() % 900, u128::from(numbers.next().unwrap() % 3));
            let vector =
                clustered(1, dim, 1, 0.0).into_iter().zip(noise(id * 31 + generation, dim)).map(|(a, b)| a + b * 0.7);
            let vector: Vec<f32> = vector.collect();
            match model.0.get(&id).map(|(name, _)| *name) {
                None => {
                    index.add(id, &vector, name).unwrap();
                    model.0.insert(id, (name, vector));
                }
                Some(name) if id % 2 == 0 => {
                    index.update(id, &vector).unwrap();
                    model.0.insert(id, (name, vector));
                }
                Some(_) => {
                    assert!(index.remove(id).unwrap());
                    model.0.remove(&id);
                }
            }
        }
        assert_eq!(index.len(), model.0.len());
        let vector = noise(generation, dim);
        for name in 0..4 {
            let all = model.search(&vector, 900, -1.0, name);
            assert_same(&index.search(&vector, 900, -1.0, name).unwrap(), &all, &all, "all rows");
            let nearest = model.search(&vector, 2, 0.72, name);
            assert_same(&index.search(&vector, 2, 0.72, name).unwrap(), &nearest, &all, "nearest rows");
        }
        match generation {
            0 => {
                index.save(&file.0).unwrap();
                index = FlatIndex::load(&file.0).unwrap();
            }
            1 => index.compact(&file.0).unwrap(),
            _ => index.save(&file.0).unwrap(),
        }
        assert!((0..900).all(|id| index.contains(id).unwrap() == model.0.contains_key(&id)));
    }
}

#[test]
fn compacting_gives_memory_back() {
    let (file, index) = (TempFile::new(), FlatIndex::new(384).unwrap());
    index.add_many(&(0..3_000).collect::<Vec<_>>(), &noise(3, 3_000 * 384), 5).unwrap();
    let before = index.memory_bytes();
    assert!(before > 3_000 * 384 * 5 && before < 3_000 * 384 * 7, "{before}");
    let found = index.search(&noise(3, 384), 5, -1.0, 5).unwrap();
    index.compact(&file.0).unwrap();
    assert!(index.memory_bytes() < 20_000, "{}", index.memory_bytes());
    assert_eq!(index.search(&noise(3, 384), 5, -1.0, 5).unwrap(), found);
    assert_eq!(index.len(), 3_000);
}
