//! The forward pass against plain f64.

mod folders;

use std::collections::HashMap;
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;

const SMALL: Shape = Shape {
    layers: 2,
    hidden: 24,
    heads: 3,
    feed_forward: 41,
    vocabulary: 50,
    positions: 40,
    types: 2,
    epsilon: 1e-5,
    pooling: Pooling::Mean,
};
/// Nothing in it is a multiple of anything that a kernel works in.
const ODD: Shape = Shape { layers: 3, hidden: 35, heads: 5, feed_forward: 7, types: 1, pooling: Pooling::Cls, ..SMALL };
/// One layer with one head, wider than the others are long.
const WIDE: Shape = Shape { layers: 1, hidden: 66, heads: 1, feed_forward: 130, pooling: Pooling::Cls, ..SMALL };

type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// A folder of its own, removed at the end.
pub(super) struct TempFolder(pub(super) PathBuf);

impl TempFolder {
    pub(super) fn new() -> Self {
        static NEXT: crate::sync::AtomicU64 = crate::sync::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, crate::sync::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("llmfast-encoder-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn noise(state: &mut u64, len: usize, scale: f32) -> Vec<f32> {
    let mut next = || {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
    };
    (0..len).map(|_| next()).collect()
}

fn random_tensors(shape: &Shape) -> Tensors {
    let (hidden, feed) = (shape.hidden, shape.feed_forward);
    let mut sizes = vec![
        ("embeddings.word_embeddings.weight".to_string(), vec![shape.vocabulary, hidden]),
        ("embeddings.position_embeddings.weight".to_string(), vec![shape.positions, hidden]),
        ("embeddings.token_type_embeddings.weight".to_string(), vec![shape.types, hidden]),
        ("embeddings.LayerNorm.weight".to_string(), vec![hidden]),
        ("embeddings.LayerNorm.bias".to_string(), vec![hidden]),
    ];
    for layer in 0..shape.layers {
        let mut linear = |part: &str, out: usize, width: usize| {
            sizes.push((format!("encoder.layer.{layer}.{part}.weight"), vec![out, width]));
            sizes.push((format!("encoder.layer.{layer}.{part}.bias"), vec![out]));
        };
        for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
            linear(part, hidden, hidden);
        }
        linear("intermediate.dense", feed, hidden);
        linear("output.dense", hidden, feed);
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            sizes.push((format!("encoder.layer.{layer}.{part}.weight"), vec![hidden]));
            sizes.push((format!("encoder.layer.{layer}.{part}.bias"), vec![hidden]));
        }
    }
    let mut state = 7;
    let named = sizes.into_iter().map(|(name, size)| {
        let values = noise(&mut state, size.iter().product(), 0.7);
        (name, (size, values))
    });
    named.collect()
}

fn safetensors_file(tensors: &Tensors) -> Vec<u8> {
    stored(tensors, "", Dtype::F32, |x| x.to_le_bytes().to_vec())
}

/// A file whose tensors' names begin with `prefix`, with numbers as `write` writes them.
fn stored(tensors: &Tensors, prefix: &str, dtype: Dtype, write: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    let bytes: Vec<(String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (size, values))| {
            (format!("{prefix}{name}"), size, values.iter().flat_map(|x| write(*x)).collect())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, size, bytes)| (name.as_str(), TensorView::new(dtype, (*size).clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn open(bytes: impl AsRef<[u8]>, shape: Shape) -> Result<Bert> {
    let folder = TempFolder::new();
    folder.write("model.safetensors", bytes);
    // The map holds the file after its name is gone.
    Bert::load(shape, Weights::open(&folder.0.join("model.safetensors"))?, |_, _| Form::F32)
}

fn encode(bert: &Bert, kernel: Kernel, ids: &[u32]) -> Vec<f32> {
    let (mut scratch, mut out) = (Scratch::default(), vec![0.0; bert.shape().hidden]);
    scratch.push(ids);
    bert.forward(kernel, &mut scratch, &mut out);
    out
}

/// The model in f64, written as its definition reads.
struct Oracle<'a> {
    shape: Shape,
    tensors: &'a Tensors,
}

type Matrix = Vec<Vec<f64>>;

impl Oracle<'_> {
    fn get(&self, name: &str) -> Vec<f64> {
        self.tensors[name].1.iter().map(|x| f64::from(*x)).collect()
    }

    fn row(&self, name: &str, row: usize) -> Vec<f64> {
        self.get(name)[row * self.shape.hidden..][..self.shape.hidden].to_vec()
    }

    fn linear(&self, x: &Matrix, name: &str) -> Matrix {
        let (weights, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let column = |x: &[f64], j: usize| bias[j] + dot(x, &weights[j * x.len()..(j + 1) * x.len()]);
        x.iter().map(|x| (0..bias.len()).map(|j| column(x, j)).collect()).collect()
    }

    fn norm(&self, x: &Matrix, name: &str) -> Matrix {
        let (gamma, beta) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let one = |x: &Vec<f64>| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let deviation = (variance + f64::from(self.shape.epsilon)).sqrt();
            (0..x.len()).map(|i| (x[i] - mean) / deviation * gamma[i] + beta[i]).collect()
        };
        x.iter().map(one).collect()
    }

    fn attention(&self, x: &Matrix, name: &str) -> Matrix {
        let [query, key, value] = ["query", "key", "value"].map(|part| self.linear(x, &format!("{name}.self.{part}")));
        let width = self.shape.hidden / self.shape.heads;
        let mut out = vec![vec![0.0; self.shape.hidden]; x.len()];
        for first in (0..self.shape.hidden).step_by(width) {
            let head = first..first + width;
            for i in 0..x.len() {
                let score = |j: usize| dot(&query[i][head.clone()], &key[j][head.clone()]) / (width as f64).sqrt();
                let exps: Vec<f64> = (0..x.len()).map(|j| score(j).exp()).collect();
                let total: f64 = exps.iter().sum();
                for at in head.clone() {
                    out[i][at] = (0..x.len()).map(|j| exps[j] / total * value[j][at]).sum();
                }
            }
        }
        self.linear(&out, &format!("{name}.output.dense"))
    }

    fn encode(&self, ids: &[u32]) -> Vec<f64> {
        let kind = self.row("embeddings.token_type_embeddings.weight", 0);
        let embed = |(at, id): (usize, &u32)| {
            let word = self.row("embeddings.word_embeddings.weight", *id as usize);
            let position = self.row("embeddings.position_embeddings.weight", at);
            (0..word.len()).map(|i| word[i] + position[i] + kind[i]).collect()
        };
        let embedded: Matrix = ids.iter().enumerate().map(embed).collect();
        let mut x = self.norm(&embedded, "embeddings.LayerNorm");
        for layer in 0..self.shape.layers {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            let attended = self.attention(&x, &name("attention"));
            x = self.norm(&sum(&x, &attended), &name("attention.output.LayerNorm"));
            let mut feed = self.linear(&x, &name("intermediate.dense"));
            feed.iter_mut().flatten().for_each(|x| *x *= normal_distribution(*x));
            x = self.norm(&sum(&x, &self.linear(&feed, &name("output.dense"))), &name("output.LayerNorm"));
        }
        let pooled: Vec<f64> = match self.shape.pooling {
            Pooling::Mean => (0..self.shape.hidden).map(|i| x.iter().map(|x| x[i]).sum::<f64>()).collect(),
            Pooling::Cls => x[0].clone(),
        };
        let length = dot(&pooled, &pooled).sqrt();
        pooled.iter().map(|x| x / length).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sum(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

/// Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/15 + …): Marsaglia, Evaluating the Normal Distribution (2004).
fn normal_distribution(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn the_forward_pass_matches_f64() {
    for shape in [SMALL, Shape { pooling: Pooling::Cls, ..SMALL }, ODD, Shape { pooling: Pooling::Mean, ..ODD }, WIDE] {
        let tensors = random_tensors(&shape);
        let bert = open(safetensors_file(&tensors), shape).unwrap();
        for kernel in Kernel::available() {
            matches_f64(&bert, &Oracle { shape, tensors: &tensors }, kernel);
        }
    }
}

fn matches_f64(bert: &Bert, oracle: &Oracle<'_>, kernel: Kernel) {
    let (shape, lengths) = (oracle.shape, [1, 2, 40, 7, 16, 17, 1, 33]);
    let texts: Vec<Vec<u32>> = lengths.iter().map(|n| (0..*n).map(|i| (i * 7 + n * 3) % 50).collect()).collect();
    let mut scratch = Scratch::default();
    let mut together = vec![0.0; texts.len() * shape.hidden];
    for ids in &texts {
        scratch.push(ids);
    }
    bert.forward(kernel, &mut scratch, &mut together);
    for (ids, together) in texts.iter().zip(together.chunks_exact(shape.hidden)) {
        let alone = encode(bert, kernel, ids);
        assert_eq!(alone, together, "{kernel:?}: a text's vector depends on its neighbours");
        for threads in 2..=ids.len().min(5) {
            let mut split = vec![0.0; shape.hidden];
            split::forward(bert, kernel, ids, threads, &mut split);
            assert_eq!(split, alone, "{kernel:?}: a text's vector depends on {threads} threads");
        }
        for (got, expected) in alone.iter().zip(oracle.encode(ids)) {
            let error = (f64::from(*got) - expected).abs();
            // About 100 roundings deep, each of relative size 6e-8, and GELU's 1.5e-7; components are about 0.2.
            assert!(error < 5e-6, "{kernel:?} {shape}, {} tokens: {got} {expected}", ids.len());
        }
    }
}

#[test]
fn tensors_may_have_the_prefix_of_a_model_with_a_head() {
    let tensors = random_tensors(&SMALL);
    let plain = open(safetensors_file(&tensors), SMALL).unwrap();
    let prefixed = stored(&tensors, "bert.", Dtype::F32, |x| x.to_le_bytes().to_vec());
    let ids = [2, 7, 1, 8, 3];
    let [one, other] = [plain, open(prefixed, SMALL).unwrap()].map(|bert| encode(&bert, Kernel::best(), &ids));
    assert_eq!(one, other);
}

#[test]
fn halves_are_widened() {
    let mut tensors = random_tensors(&ODD);
    let ids = [2, 7, 1, 8, 3];
    // Numbers that both halves hold: 8 bits of mantissa, and exponents that F16 has.
    tensors.values_mut().flat_map(|(_, values)| values).for_each(|x| *x = f32::from_bits(x.to_bits() & 0xffff_0000));
    let expected = encode(&open(safetensors_file(&tensors), ODD).unwrap(), Kernel::best(), &ids);
    let bf16 = stored(&tensors, "", Dtype::BF16, |x| x.to_le_bytes()[2..].to_vec());
    assert_eq!(encode(&open(bf16, ODD).unwrap(), Kernel::best(), &ids), expected);
    // Multiples of 2⁻⁷ below 1 are 112 exponents away.
    tensors.values_mut().flat_map(|(_, values)| values).for_each(|x| *x = (*x * 128.0).round() / 128.0);
    let expected = encode(&open(safetensors_file(&tensors), ODD).unwrap(), Kernel::best(), &ids);
    let f16 = |x: f32| {
        let bits = x.to_bits();
        let magnitude = if x == 0.0 { 0 } else { ((bits & 0x7fff_ffff) >> 13) - (112 << 10) };
        ((bits >> 16 & 0x8000 | magnitude) as u16).to_le_bytes().to_vec()
    };
    assert_eq!(encode(&open(stored(&tensors, "", Dtype::F16, f16), ODD).unwrap(), Kernel::best(), &ids), expected);
}

#[test]
fn tensors_of_integers_are_named() {
    let integers = stored(&random_tensors(&SMALL), "", Dtype::I32, |x| (x as i32).to_le_bytes().to_vec());
    let error = open(integers, SMALL).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptFile);
    assert!(error.to_string().contains("to be F32, F16 or BF16"), "{error}");
}

#[test]
fn narrow_weights_keep_the_direction_and_a_text_its_vector() {
    let tensors = random_tensors(&SMALL);
    let folder = TempFolder::new();
    folder.write("model.safetensors", safetensors_file(&tensors));
    let oracle = Oracle { shape: SMALL, tensors: &tensors };
    let texts: Vec<Vec<u32>> =
        [1, 2, 40, 7, 16, 17, 33].iter().map(|n| (0..*n).map(|i| (i * 11 + n * 5) % 50).collect()).collect();
    for kernel in Kernel::available() {
        for (precision, least) in [(Precision::Bf16, 0.9999), (Precision::Int16, 0.9999), (Precision::Int8, 0.995)] {
            let weights = Weights::open(&folder.0.join("model.safetensors")).unwrap();
            let form = match precision {
                Precision::Bf16 => Form::Bf16,
                Precision::Int16 => Form::Int16,
                Precision::F32 | Precision::Int8 => Form::F32,
            };
            let mut bert = Bert::load(SMALL, weights, |_, _| form).unwrap();
            if precision == Precision::Int8 {
                bert.quantise(kernel, &texts[2..5]).unwrap();
            }
            let (mut scratch, mut together) = (Scratch::default(), vec![0.0; texts.len() * SMALL.hidden]);
            for ids in &texts {
                scratch.push(ids);
            }
            bert.forward(kernel, &mut scratch, &mut together);
            for (ids, together) in texts.iter().zip(together.chunks_exact(SMALL.hidden)) {
                let mut alone = vec![0.0; SMALL.hidden];
                scratch.push(ids);
                bert.forward(kernel, &mut scratch, &mut alone);
                assert_eq!(alone, together, "{kernel:?} {precision:?}: a text's vector depends on its neighbours");
                for threads in 2..=ids.len().min(5) {
                    let mut split = vec![0.0; SMALL.hidden];
                    split::forward(&bert, kernel, ids, threads, &mut split);
                    assert_eq!(split, alone, "{kernel:?} {precision:?}: a vector depends on {threads} threads");
                }
                let cosine: f64 = alone.iter().zip(oracle.encode(ids)).map(|(a, b)| f64::from(*a) * b).sum();
                assert!(cosine >= least, "{kernel:?} {precision:?} {} tokens: cosine {cosine}", ids.len());
            }
        }
    }
}

#[test]
fn whole_numbers_give_nearly_the_same_vectors_in_every_kernel() {
    let folder = TempFolder::new();
    folder.write("model.safetensors", safetensors_file(&random_tensors(&SMALL)));
    let ids: Vec<u32> = (0..23).collect();
    let vectors = Kernel::available().into_iter().map(|kernel| {
        let weights = Weights::open(&folder.0.join("model.safetensors")).unwrap();
        let mut bert = Bert::load(SMALL, weights, |_, _| Form::F32).unwrap();
        bert.quantise(kernel, std::slice::from_ref(&ids)).unwrap();
        let (mut scratch, mut vector) = (Scratch::default(), vec![0.0; SMALL.hidden]);
        scratch.push(&ids);
        bert.forward(kernel, &mut scratch, &mut vector);
        vector
    });
    let vectors: Vec<_> = vectors.collect();
    for other in &vectors[1..] {
        // Not to the bit: what is not whole numbers, such as a softmax, is rounded differently, and with it a number here and there.
        let cosine: f32 = other.iter().zip(&vectors[0]).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{cosine}");
    }
}

#[test]
fn precisions_are_found_by_name() {
    for precision in Precision::ALL {
        assert_eq!(Precision::by_name(precision.name(), Kernel::best()).unwrap(), precision);
    }
    for kernel in Kernel::available() {
        let auto = Precision::by_name("auto", kernel).unwrap();
        assert_ne!(auto, Precision::Int8, "workers of one service share f32's vectors");
        let pairs = ["avx2", "avx512", "avx512bf16"].contains(&kernel.name());
        assert_eq!(auto, if pairs { Precision::Int16 } else { Precision::Bf16 }, "{kernel:?}");
    }
    let error = Precision::by_name("fp8", Kernel::best()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), "expected precision to be one of auto, f32, int16, bf16, int8, got \"fp8\"");
}

#[test]
fn missing_and_misshapen_tensors_are_named() {
    let folder = TempFolder::new();
    let path = folder.0.join("model.safetensors");
    let load = |tensors: &Tensors| {
        std::fs::write(&path, safetensors_file(tensors)).unwrap();
        let error = Bert::load(SMALL, Weights::open(&path).unwrap(), |_, _| Form::F32).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptFile);
        error.to_string()
    };
    let name = "encoder.layer.1.output.dense.bias";
    let mut tensors = random_tensors(&SMALL);
    tensors.insert(name.into(), (vec![23], vec![0.0; 23]));
    assert!(load(&tensors).contains("F32, F16 or BF16 [24], got F32 [23]"));
    tensors.remove(name);
    assert!(load(&tensors).contains(&format!("no tensor {name}")));
}

#[test]
fn damaged_headers_are_errors() {
    let folder = TempFolder::new();
    let path = folder.0.join("model.safetensors");
    let bytes = safetensors_file(&random_tensors(&SMALL));
    for len in [0, 1, 7, 8, 9, 100, 1000, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let result = Weights::open(&path).and_then(|weights| Bert::load(SMALL, weights, |_, _| Form::F32));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::CorruptFile, "cut at {len}");
    }
    for at in 0..600 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x15;
        std::fs::write(&path, &damaged).unwrap();
        if let Err(error) = Weights::open(&path).and_then(|weights| Bert::load(SMALL, weights, |_, _| Form::F32)) {
            assert_eq!(error.kind(), ErrorKind::CorruptFile, "byte {at}");
        }
    }
}
