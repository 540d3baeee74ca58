//! Every operation against a list that is sorted, where all rows are compared: without a graph, and with one so small that a
//! search looks at all of its nodes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::files::TempFile;
use super::*;
use crate::index::hnsw::partition::scattered;

const DIM: usize = 5;

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
    AddMany(Vec<(u64, Vec<f32>)>, u128),
    Update(u64, Vec<f32>),
    Remove(u64),
    RemoveBelow(u64),
    Search(Vec<f32>, usize, f64, u128),
}

/// Small integers, for which f64 sums are exact in any order and rows are often equal; some rows are scaled to lengths at
/// which f32 arithmetic overflows or underflows.
fn vector() -> impl Strategy<Value = Vec<f32>> {
    let scale = prop_oneof![8 => Just(1.0_f32), 1 => Just(f32::MIN_POSITIVE / 1024.0), 1 => Just(2.0_f32.powi(126))];
    let values = prop::collection::vec(-2_i8..=2, DIM).prop_filter("zeros", |v| v.iter().any(|x| *x != 0));
    (values, scale).prop_map(|(values, scale)| values.iter().map(|x| f32::from(*x) * scale).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let id = || prop_oneof![9 => 0_u64..60, 1 => Just(u64::MAX)];
    let partition = || prop_oneof![4 => Just(0_u128), 1 => Just(u128::MAX)];
    let score = prop_oneof![Just(-1.0), Just(f64::NEG_INFINITY), Just(1.0), -1.0..1.0, Just(0.5), Just(2.0)];
    prop_oneof![
        5 => (prop::collection::vec((id(), vector()), 0..12), partition()).prop_map(|(rows, p)| Step::AddMany(rows, p)),
        3 => (id(), vector()).prop_map(|(id, v)| Step::Update(id, v)),
        3 => id().prop_map(Step::Remove),
        1 => (0_u64..60).prop_map(Step::RemoveBelow),
        6 => (vector(), 1_usize..8, score, partition()).prop_map(|(v, k, s, p)| Step::Search(v, k, s, p)),
    ]
}

fn apply(index: &HnswIndex, model: &mut Model, step: Step) {
    match step {
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
        Step::Remove(id) => assert_eq!(index.remove(id), model.0.remove(&id).is_some()),
        Step::RemoveBelow(bound) => (0..bound).for_each(|id| apply(index, model, Step::Remove(id))),
        Step::Search(vector, k, min_score, partition) => {
            let got = index.search(&vector, k, min_score, partition).unwrap();
            assert_eq!(got, model.search(&vector, k, min_score, partition));
        }
    }
    assert_eq!(index.len(), model.0.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_index_is_its_model(steps in prop::collection::vec(step(), 1..60)) {
        for most_flat in [1, 12, 1024] {
            let (index, mut model) = (index(DIM, most_flat), Model::default());
            for step in &steps {
                apply(&index, &mut model, step.clone());
            }
            let file = TempFile::new();
            index.save(&file.0).unwrap();
            let loaded = HnswIndex::load(&file.0).unwrap();
            for partition in [0, u128::MAX] {
                let expected = model.search(&[1.0; DIM], 100, -1.0, partition);
                prop_assert_eq!(index.search(&[1.0; DIM], 100, -1.0, partition).unwrap(), expected.clone());
                prop_assert_eq!(loaded.search(&[1.0; DIM], 100, -1.0, partition).unwrap(), expected);
            }
        }
    }

    #[test]
    fn scattered_numbers_come_once(count in 0_usize..5000) {
        let mut numbers: Vec<usize> = scattered(count).collect();
        numbers.sort_unstable();
        prop_assert!(numbers.into_iter().eq(0..count));
    }
}
