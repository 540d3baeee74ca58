//! Against a list that is sorted in f64.

mod damage;
mod sieves;

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind};

const DIM: usize = 5;

/// What the index is meant to be: every row, and a sort.
#[derive(Debug, Default)]
struct Model(BTreeMap<u64, (u128, Vec<f32>)>);

impl Model {
    fn search(&self, query: &[f32], k: usize, min_score: f64, partition: u128) -> Vec<Hit> {
        let rows = self.0.iter().filter(|(_, (name, _))| *name == partition);
        let hits = rows.map(|(id, (_, row))| Hit { id: *id, score: cosine(query, row) });
        let mut hits: Vec<Hit> = hits.filter(|hit| hit.score >= min_score).collect();
        hits.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.id.cmp(&b.id)));
        hits.truncate(k);
        hits
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0)
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64, Vec<f32>, u128),
    AddMany(Vec<(u64, Vec<f32>)>, u128),
    Update(u64, Vec<f32>),
    Remove(u64),
    Search(Vec<f32>, usize, f64, u128),
    SearchMany(Vec<Vec<f32>>, usize, f64, u128),
    Compact,
}

/// Small integers, for which f64 sums are exact in any order: scores and ties must be equal, not close. Some rows are
/// scaled to lengths at which f32 arithmetic overflows or underflows.
fn vector() -> impl Strategy<Value = Vec<f32>> {
    // Powers of two, so that products are exact.
    let scale = prop_oneof![8 => Just(1.0_f32), 1 => Just(f32::MIN_POSITIVE / 1024.0), 1 => Just(2.0_f32.powi(126))];
    let values = prop::collection::vec(-2_i8..=2, DIM).prop_filter("zeros", |v| v.iter().any(|x| *x != 0));
    (values, scale).prop_map(|(values, scale)| values.iter().map(|x| f32::from(*x) * scale).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let id = || prop_oneof![0_u64..40, Just(u64::MAX)];
    let partition = || prop_oneof![4 => Just(0_u128), 1 => Just(7), 1 => Just(u128::MAX)];
    let score = prop_oneof![
        Just(-1.0),
        Just(f64::NEG_INFINITY),
        Just(1.0),
        -1.0..1.0,
        Just(0.5),
        Just(0.0),
        Just(2.0),
        Just(0.75)
    ];
    prop_oneof![
        6 => (id(), vector(), partition()).prop_map(|(id, v, p)| Step::Add(id, v, p)),
        2 => (prop::collection::vec((id(), vector()), 0..6), partition()).prop_map(|(rows, p)| Step::AddMany(rows, p)),
        2 => (id(), vector()).prop_map(|(id, v)| Step::Update(id, v)),
        3 => id().prop_map(Step::Remove),
        6 => (vector(), 1_usize..8, score.clone(), partition()).prop_map(|(v, k, s, p)| Step::Search(v, k, s, p)),
        2 => (prop::collection::vec(vector(), 2..4), 1_usize..8, score, partition())
            .prop_map(|(v, k, s, p)| Step::SearchMany(v, k, s, p)),
        1 => Just(Step::Compact),
    ]
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn apply(index: &FlatIndex, model: &mut Model, step: Step) {
    match step {
        Step::Add(id, vector, partition) => {
            let known = model.0.contains_key(&id);
            assert_eq!(kind(index.add(id, &vector, partition)), known.then_some(ErrorKind::DuplicateId));
            model.0.entry(id).or_insert((partition, vector));
        }
        Step::AddMany(rows, partition) => {
            let unique: BTreeMap<u64, Vec<f32>> = rows.iter().cloned().collect();
            let refused = unique.len() < rows.len() || rows.iter().any(|(id, _)| model.0.contains_key(id));
            let (ids, matrix): (Vec<u64>, Vec<Vec<f32>>) = rows.into_iter().unzip();
            let result = index.add_many(&ids, &matrix.concat(), partition);
            assert_eq!(kind(result), refused.then_some(ErrorKind::DuplicateId));
            if !refused {
                model.0.extend(unique.into_iter().map(|(id, vector)| (id, (partition, vector))));
            }
        }
        Step::Update(id, vector) => {
            let unknown = !model.0.contains_key(&id);
            assert_eq!(kind(index.update(id, &vector)), unknown.then_some(ErrorKind::UnknownId));
            model.0.entry(id).and_modify(|row| row.1 = vector);
        }
        Step::Remove(id) => assert_eq!(index.remove(id).unwrap(), model.0.remove(&id).is_some()),
        Step::Search(vector, k, min_score, partition) => {
            let got = index.search(&vector, k, min_score, partition).unwrap();
            assert_eq!(got, model.search(&vector, k, min_score, partition));
        }
        Step::SearchMany(vectors, k, min_score, partition) => {
            let got = index.search_many(&vectors.concat(), k, min_score, partition).unwrap();
            let expected = vectors.iter().map(|vector| model.search(vector, k, min_score, partition));
            assert!(got.into_iter().eq(expected));
        }
        Step::Compact => index.compact(&TempFile::new().0).unwrap(),
    }
    assert_eq!(index.len(), model.0.len());
}

proptest! {
    #[test]
    fn the_index_is_its_model(steps in prop::collection::vec(step(), 1..80)) {
        for kernel in Kernel::available() {
            let (index, mut model) = (FlatIndex::with_kernel(DIM, kernel).unwrap(), Model::default());
            for step in &steps {
                apply(&index, &mut model, step.clone());
            }
            let file = TempFile::new();
            index.save(&file.0).unwrap();
            let loaded = FlatIndex::load_with_kernel(&file.0, kernel).unwrap();
            for partition in [0, 7, u128::MAX] {
                let found = loaded.search(&[1.0; DIM], 100, -1.0, partition).unwrap();
                prop_assert_eq!(found, model.search(&[1.0; DIM], 100, -1.0, partition));
            }
        }
    }

    /// Rows so near each other that f32 cannot order them, and a bar that runs between them.
    #[test]
    fn rows_that_f32_cannot_tell_apart_are_ordered(seed in 0_u64.., rows in 1_usize..400, k in 1_usize..60, nth in 0_usize..400) {
        let base = noise(seed, 33);
        let index = FlatIndex::new(33).unwrap();
        let mut model = Model::default();
        for id in 0..rows as u64 {
            let row: Vec<f32> = base.iter().zip(noise(seed ^ (id + 1), 33)).map(|(b, n)| b + n * 2e-7).collect();
            index.add(id, &row, 3).unwrap();
            model.0.insert(id, (3, row));
        }
        let all = model.search(&base, rows, -1.0, 3);
        // Half a step of f64 below a score that a row has: sums in another order may differ by less than that.
        for min_score in [-1.0, all[nth % rows].score - 1e-15] {
            let (got, expected) = (index.search(&base, k, min_score, 3).unwrap(), model.search(&base, k, min_score, 3));
            prop_assert!(got.len().abs_diff(expected.len()) <= all.iter().filter(|hit| (hit.score - min_score).abs() < 2e-15).count());
            for (got, expected) in got.iter().zip(&expected) {
                prop_assert!((got.score - expected.score).abs() < 2e-15, "{got:?} {expected:?}");
                prop_assert!((got.score - cosine(&base, &model.0[&got.id].1)).abs() < 2e-15);
            }
        }
    }
}

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed ^ 0x5851_f42d_4c95_7f2d;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn identical_rows_score_one_and_come_by_id() {
    let index = FlatIndex::new(384).unwrap();
    let row = noise(1, 384);
    let half: Vec<f32> = row.iter().map(|x| x / 2.0).collect();
    for id in [9, 3, 5] {
        index.add(id, if id == 3 { &half } else { &row }, 0).unwrap();
    }
    let hits = index.search(&row, 2, 1.0, 0).unwrap();
    assert_eq!(hits, [Hit { id: 3, score: 1.0 }, Hit { id: 5, score: 1.0 }]);
}

#[test]
fn many_equal_rows_still_come_by_id() {
    let index = FlatIndex::new(3).unwrap();
    let ids: Vec<u64> = (0..5000).rev().collect();
    index.add_many(&ids, &[1.0, 2.0, 3.0].repeat(5000), 1).unwrap();
    let hits = index.search(&[1.0, 2.0, 3.0], 3, 0.0, 1).unwrap();
    assert_eq!(hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn bad_arguments_are_refused_with_the_numbers() {
    let index = FlatIndex::new(3).unwrap();
    let message = |result: Result<()>, kind: ErrorKind| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        error.to_string()
    };
    let invalid = ErrorKind::InvalidVector;
    assert_eq!(message(index.add(1, &[1.0], 0), ErrorKind::DimensionMismatch), "expected 3 dimensions, got 1");
    assert_eq!(message(index.add(1, &[0.0, 1.0, f32::NAN], 0), invalid), "component 2 is NaN");
    assert_eq!(message(index.add(1, &[0.0, f32::NEG_INFINITY, 1.0], 0), invalid), "component 1 is infinite");
    assert!(message(index.add(1, &[0.0, -0.0, 0.0], 0), invalid).contains("no direction"));
    let rows = [1.0, 1.0, 1.0, 0.0, f32::NAN, 0.0];
    assert_eq!(message(index.add_many(&[1, 2], &rows, 0), invalid), "row 1: component 1 is NaN");
    assert!(message(index.add_many(&[1], &[1.0; 6], 0), ErrorKind::Config).contains("2 rows and 1 ids"));
    assert!(message(index.add_many(&[1], &[1.0; 4], 0), ErrorKind::DimensionMismatch).contains("4 values"));
    assert!(message(index.search(&[1.0; 3], 0, 0.0, 0).map(drop), ErrorKind::Config).contains("got 0"));
    assert!(message(index.search(&[1.0; 3], 1, f64::NAN, 0).map(drop), ErrorKind::Config).contains("NaN"));
    assert!(message(index.search(&[0.0; 3], 1, 0.0, 0).map(drop), invalid).contains("no direction"));
    assert!(message(index.search(&[], 1, 0.0, 0).map(drop), ErrorKind::DimensionMismatch).contains("got 0"));
    assert!(message(FlatIndex::new(0).map(drop), ErrorKind::Config).contains("got 0"));
    assert!(message(FlatIndex::new(4097).map(drop), ErrorKind::Config).contains("got 4097"));
    assert!(index.is_empty() && !index.contains(1).unwrap());
}

#[test]
fn memory_is_given_back_with_the_partition() {
    let index = FlatIndex::new(384).unwrap();
    let matrix = noise(1, 384 * 100);
    let mut highest = 0;
    for round in 0..50_u64 {
        let ids: Vec<u64> = (round * 100..(round + 1) * 100).collect();
        index.add_many(&ids, &matrix, u128::from(round)).unwrap();
        highest = highest.max(index.memory_bytes());
        assert!(ids.iter().all(|id| index.remove(*id).unwrap()));
    }
    assert!(highest > 384 * 100 * 4 && highest < 384 * 100 * 4 * 3, "{highest}");
    assert!(index.memory_bytes() < 100_000, "{}", index.memory_bytes());
}

#[test]
fn searches_and_writers_run_side_by_side() {
    let (index, file) = (FlatIndex::new(8).unwrap(), TempFile::new());
    std::thread::scope(|scope| {
        scope.spawn(|| (0..10).for_each(|_| index.compact(&file.0).unwrap()));
        for thread in 0..4_u64 {
            let index = &index;
            scope.spawn(move || {
                for i in 0..300 {
                    let (id, row) = (thread * 1000 + i, noise(thread * 1000 + i, 8));
                    index.add(id, &row, u128::from(thread % 2)).unwrap();
                    let hits = index.search(&row, 1, 0.999, u128::from(thread % 2)).unwrap();
                    assert_eq!(hits.len(), 1);
                    assert!(i % 3 != 0 || index.remove(id).unwrap());
                }
            });
        }
    });
    assert_eq!(index.len(), 4 * 200);
}

/// A file name of its own, removed at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new() -> Self {
        static NEXT: crate::sync::AtomicU64 = crate::sync::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, crate::sync::Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("llmfast-index-{}-{number}", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a file holds is read by other versions and on other processors.
#[test]
fn what_a_file_holds_does_not_change() {
    for kernel in Kernel::available() {
        let index = FlatIndex::with_kernel(70, kernel).unwrap();
        for (partition, rows) in [(9_u128, 33_u64), (1 << 100, 5)] {
            let ids: Vec<u64> = (0..rows).map(|id| id * 7 + partition as u64 % 5).collect();
            index.add_many(&ids, &noise(rows, rows as usize * 70), partition).unwrap();
        }
        let file = TempFile::new();
        index.save(&file.0).unwrap();
        let hash = blake3::hash(&std::fs::read(&file.0).unwrap()).to_hex();
        assert_eq!(
            &hash[..16],
            "9c4c14cecccf569a",
            "{kernel:?}: what reads a file must read this one, or VERSION must change"
        );
    }
}

#[test]
fn what_others_left_beside_a_file_stays() {
    let (file, index) = (TempFile::new(), FlatIndex::new(2).unwrap());
    let other = file.0.with_extension("1-0.tmp");
    std::fs::write(&other, b"another's").unwrap();
    index.save(&file.0).unwrap();
    assert_eq!(std::fs::read(&other).unwrap(), b"another's");
    std::fs::remove_file(&other).unwrap();
}

#[test]
fn a_file_is_replaced_in_one_step() {
    let file = TempFile::new();
    std::fs::write(&file.0, b"what was there before").unwrap();
    let index = FlatIndex::new(2).unwrap();
    index.save(&file.0).unwrap();
    assert_eq!((FlatIndex::load(&file.0).unwrap().dim(), index.len()), (2, 0));
    let folder = file.0.parent().unwrap();
    let name = file.0.file_name().unwrap().to_str().unwrap();
    let left = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|other| other.starts_with(&format!("{name}."))).count(), 0);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_the_link_to_it() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let (file, link, index) = (TempFile::new(), TempFile::new(), FlatIndex::new(2).unwrap());
    symlink(&file.0, &link.0).unwrap();
    for mode in [0o600, 0o664] {
        index.save(&link.0).unwrap();
        std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(mode)).unwrap();
        index.save(&link.0).unwrap();
        assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, mode);
        assert!(std::fs::symlink_metadata(&link.0).unwrap().is_symlink());
    }
}

#[test]
fn files_that_cannot_be_opened_are_io_errors() {
    let missing = std::env::temp_dir().join("llmfast-no-such-folder").join("index");
    assert_eq!(kind(FlatIndex::load(&missing)), Some(ErrorKind::Io));
    let refused = FlatIndex::new(2).unwrap().save(&missing).unwrap_err();
    let refusal = refused.refusal().unwrap();
    assert_eq!((refused.kind(), &refusal.path), (ErrorKind::Io, &missing));
    assert_eq!(std::io::Error::from_raw_os_error(refusal.code).kind(), std::io::ErrorKind::NotFound);
    assert_eq!(kind(FlatIndex::new(2).unwrap().save(Path::new("/"))), Some(ErrorKind::Io));
}
