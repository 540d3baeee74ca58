//! The forward pass of a BERT encoder over texts of different lengths, one after the other without padding.
//!
//! Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers (2019); the mean over the tokens and the unit
//! length are those of Reimers and Gurevych, Sentence-BERT (2019).
//!
//! **One question is bound by memory**: 43 MB of packed weights (f32) go through the core for some 15 tokens, at 10 to
//! 15 GB/s. In whole numbers a fifth of its time is around the products. So GELU is a polynomial (`kernel/scalar.rs`),
//! which takes a third of the time of an exponential and a division. Softmax goes over rows of one to four registers
//! without a loop inside, so that the processor works on several rows at once: a third of the time again. Sums over a
//! row are kept in four registers and extremes are found by halves, since each value would wait for the one before.
//! Scores have whole panels, with −∞ where there is no key.
//!
//! **64 tokens at a time.** With 512, rows come from the third-level cache, and a batch in int16 takes 6 % more on Zen
//! 3, where 64 and 128 are alike. With AMX, whose products wait for rows and results and not for arithmetic, 128 take
//! 15 % more than 64, 256 no less, and 32 24 % more.

use std::ops::Range;

use super::config::{Pooling, Shape};
use super::linear::{Form, Linear, Source, WholeInputs};
use super::reach::Reaches;
use super::weights::{Tensor, Weights};
use crate::error::Result;
use crate::kernel::{Kernel, PANEL, Packed, Rows, RowsMut};

#[derive(Debug)]
struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    /// Queries, keys and values side by side.
    pub(super) attention: Linear,
    projection: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

/// A BERT encoder whose word vectors stay in the mapped file.
#[derive(Debug)]
pub(super) struct Bert {
    shape: Shape,
    weights: Weights,
    words: Tensor,
    /// The vector of each position plus that of token type 0, which all tokens of a single text have.
    positions: Vec<f32>,
    embedding_norm: Norm,
    pub(super) layers: Vec<Layer>,
}

/// What a forward pass reads and writes; keeps its memory from one pass to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    ids: Vec<u32>,
    /// Where each text's tokens end.
    ends: Vec<usize>,
    state: State,
}

/// What a layer does to the tokens that one thread has.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) hidden: Vec<f32>,
    pub(super) attention: Vec<f32>,
    pub(super) context: Vec<f32>,
    pub(super) head: Head,
    output: Vec<f32>,
    feed: Vec<f32>,
    pub(super) whole: WholeInputs,
}

/// What the attention of one head works with.
#[derive(Debug, Default)]
pub(super) struct Head {
    scores: Vec<f32>,
    keys: Packed,
    values: Packed,
}

impl Scratch {
    /// Adds a text to the next pass.
    pub(super) fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
    }

    pub(super) fn texts(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Tokens that there is memory for.
    pub(super) fn room(&self) -> usize {
        self.ids.capacity()
    }

    /// The tokens of each text.
    fn spans(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let mut start = 0;
        self.ends.clone().into_iter().map(move |end| std::mem::replace(&mut start, end)..end)
    }
}

impl Bert {
    /// Packs the weights of a model of the given shape.
    ///
    /// `form` says how, by the number of the layer and that of the linear layer in [`Layer::linears`].
    pub(super) fn load<'a>(shape: Shape, weights: Weights, form: impl Fn(usize, usize) -> Form<'a>) -> Result<Self> {
        let hidden = shape.hidden;
        let mut positions = weights.values("embeddings.position_embeddings.weight", &[shape.positions, hidden])?;
        let types = weights.values("embeddings.token_type_embeddings.weight", &[shape.types, hidden])?;
        positions.chunks_exact_mut(hidden).for_each(|position| add(position, &types[..hidden]));
        let layers =
            (0..shape.layers).map(|layer| Layer::load(&shape, &weights, layer, &form)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            words: weights.tensor("embeddings.word_embeddings.weight", &[shape.vocabulary, hidden])?,
            embedding_norm: Norm::load(&weights, "embeddings.LayerNorm", hidden)?,
            positions,
            layers,
            shape,
            weights,
        })
    }

    /// Holds the weights in whole numbers of eight bits from here on. The ids of some texts show how large the inputs of
    /// layers get, which is returned.
    pub(super) fn quantise(&mut self, kernel: Kernel, texts: &[Vec<u32>]) -> Result<Reaches> {
        let mut scratch = Scratch::default();
        for ids in texts {
            scratch.push(ids);
        }
        self.begin(kernel, &mut scratch);
        let mut all = Vec::with_capacity(self.layers.len());
        for (number, layer) in self.layers.iter_mut().enumerate() {
            // Each is told by what it sees in f32; those before have their new weights already, their outputs do not.
            let reaches = layer.reaches(kernel, &self.shape, &mut scratch);
            for ((linear, source), reach) in
                layer.linears().into_iter().zip(Layer::sources(&self.shape, number)).zip(&reaches)
            {
                *linear = Linear::load(&self.weights, &source, Form::Int8(reach))?;
            }
            all.push(reaches);
        }
        Ok(all)
    }

    /// Moves the weights of the layers into one block of huge pages, in the order in which a pass reads them.
    pub(super) fn gather(&mut self) {
        Linear::gather(self.layers.iter_mut().flat_map(Layer::linears));
    }

    /// Bytes of the weights as they are held, the word vectors in the mapped file included.
    pub(super) fn memory_bytes(&self) -> usize {
        let linears =
            |layer: &Layer| [&layer.attention, &layer.projection, &layer.up, &layer.down].map(Linear::memory_bytes);
        let layers: usize = self.layers.iter().flat_map(linears).sum();
        layers + self.words.bytes() + size_of_val(&*self.positions)
    }

    /// Gives back the memory of what was read of the file: from here on it is the words that occur, and nothing else.
    pub(super) fn release(&self) {
        self.weights.release();
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Writes the vector of each text that `scratch` holds to `out`, and empties `scratch`.
    ///
    /// Ids are below the vocabulary, and a text has at least one token and no more than there are positions.
    pub(super) fn forward(&self, kernel: Kernel, scratch: &mut Scratch, out: &mut [f32]) {
        self.begin(kernel, scratch);
        for layer in &self.layers {
            layer.attend(kernel, &self.shape, scratch);
            layer.feed(kernel, &self.shape, &mut scratch.state);
        }
        for (span, out) in scratch.spans().zip(out.chunks_exact_mut(self.shape.hidden)) {
            pool(self.shape.pooling, &scratch.state.hidden[span.start * out.len()..span.end * out.len()], out);
        }
        scratch.ids.clear();
        scratch.ends.clear();
    }

    /// Fills in the first layer's input.
    fn begin(&self, kernel: Kernel, scratch: &mut Scratch) {
        scratch.state.hidden.clear();
        for span in scratch.spans() {
            self.embed(&scratch.ids[span], 0, &mut scratch.state.hidden);
        }
        self.embedding_norm.apply(kernel, &mut scratch.state.hidden, self.shape.epsilon);
    }

    /// The first layer's input for some tokens of a text, the first of which is at `position`.
    pub(super) fn embedded(&self, kernel: Kernel, ids: &[u32], position: usize) -> Vec<f32> {
        let mut hidden = Vec::new();
        self.embed(ids, position, &mut hidden);
        self.embedding_norm.apply(kernel, &mut hidden, self.shape.epsilon);
        hidden
    }

    fn embed(&self, ids: &[u32], position: usize, hidden: &mut Vec<f32>) {
        let width = self.shape.hidden;
        for (id, position) in ids.iter().zip(self.positions[position * width..].chunks_exact(width)) {
            let start = hidden.len();
            self.weights.read_row(&self.words, *id as usize, width, hidden);
            add(&mut hidden[start..], position);
        }
    }
}

impl Norm {
    fn load(weights: &Weights, name: &str, width: usize) -> Result<Self> {
        let values = |part: &str| weights.values(&format!("{name}.{part}"), &[width]);
        Ok(Self { gamma: values("weight")?, beta: values("bias")? })
    }

    fn apply(&self, kernel: Kernel, rows: &mut [f32], epsilon: f32) {
        kernel.layer_norm(rows, &self.gamma, &self.beta, epsilon);
    }
}

impl Layer {
    fn load<'a>(
        shape: &Shape,
        weights: &Weights,
        layer: usize,
        form: impl Fn(usize, usize) -> Form<'a>,
    ) -> Result<Self> {
        let norm = |part: &str| Norm::load(weights, &format!("encoder.layer.{layer}.{part}"), shape.hidden);
        let [attention, projection, up, down] = Self::sources(shape, layer);
        Ok(Self {
            attention: Linear::load(weights, &attention, form(layer, 0))?,
            projection: Linear::load(weights, &projection, form(layer, 1))?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: Linear::load(weights, &up, form(layer, 2))?,
            down: Linear::load(weights, &down, form(layer, 3))?,
            norm: norm("output.LayerNorm")?,
        })
    }

    /// Where the weights are, in the order of [`Layer::linears`].
    fn sources(shape: &Shape, layer: usize) -> [Source; 4] {
        let (hidden, feed) = (shape.hidden, shape.feed_forward);
        let source = |parts: &[&str], width, out| {
            let names = parts.iter().map(|part| format!("encoder.layer.{layer}.{part}")).collect();
            Source { names, width, out }
        };
        [
            source(&["attention.self.query", "attention.self.key", "attention.self.value"], hidden, hidden),
            source(&["attention.output.dense"], hidden, hidden),
            source(&["intermediate.dense"], hidden, feed),
            source(&["output.dense"], feed, hidden),
        ]
    }

    /// The linear layers in the order in which a pass reads them.
    fn linears(&mut self) -> [&mut Linear; 4] {
        [&mut self.attention, &mut self.projection, &mut self.up, &mut self.down]
    }

    /// Takes the texts through this layer, and says how large each component of the inputs of its linear layers gets.
    fn reaches(&self, kernel: Kernel, shape: &Shape, scratch: &mut Scratch) -> [Vec<f32>; 4] {
        let attention = reach(&scratch.state.hidden, shape.hidden);
        self.attend(kernel, shape, scratch);
        let (projection, up) =
            (reach(&scratch.state.context, shape.hidden), reach(&scratch.state.hidden, shape.hidden));
        self.feed(kernel, shape, &mut scratch.state);
        [attention, projection, up, reach(&scratch.state.feed, shape.feed_forward)]
    }

    fn attend(&self, kernel: Kernel, shape: &Shape, scratch: &mut Scratch) {
        let (hidden, width) = (shape.hidden, shape.hidden / shape.heads);
        let spans = scratch.spans();
        let State { hidden: input, attention, context, head, whole, .. } = &mut scratch.state;
        self.attention.apply(kernel, input, whole, attention);
        context.resize(input.len(), 0.0);
        for span in spans {
            let tokens = span.len();
            for column in (0..hidden).step_by(width) {
                let start = span.start * 3 * hidden + column;
                let part = |which: usize| Rows::new(&attention[start + which * hidden..], tokens, width, 3 * hidden);
                let out = RowsMut::new(&mut context[span.start * hidden + column..], tokens, width, hidden);
                head.attend(kernel, [part(0), part(1), part(2)], out);
            }
        }
        self.project(kernel, shape, &mut scratch.state);
    }

    /// What follows the heads: their contexts, mixed, are added to the input.
    pub(super) fn project(&self, kernel: Kernel, shape: &Shape, state: &mut State) {
        self.projection.apply(kernel, &state.context, &mut state.whole, &mut state.output);
        add(&mut state.hidden, &state.output);
        self.attention_norm.apply(kernel, &mut state.hidden, shape.epsilon);
    }

    pub(super) fn feed(&self, kernel: Kernel, shape: &Shape, state: &mut State) {
        self.up.apply(kernel, &state.hidden, &mut state.whole, &mut state.feed);
        kernel.gelu(&mut state.feed);
        self.down.apply(kernel, &state.feed, &mut state.whole, &mut state.output);
        add(&mut state.hidden, &state.output);
        self.norm.apply(kernel, &mut state.hidden, shape.epsilon);
    }
}

impl Head {
    /// softmax(Q·Kᵀ/√d)·V over the keys and values of one text, for any of its queries.
    pub(super) fn attend(&mut self, kernel: Kernel, [queries, keys, values]: [Rows<'_>; 3], out: RowsMut<'_>) {
        let (asked, tokens) = (queries.count(), keys.count());
        // Whole panels, with scores of −∞ where there is no key, spare all that follows the handling of parts.
        let padded = tokens.next_multiple_of(PANEL);
        kernel.pack_columns(keys, &mut self.keys);
        self.values.pack_rows(values);
        self.scores.resize(asked * padded, 0.0);
        kernel.matmul(queries, &self.keys, None, RowsMut::new(&mut self.scores, asked, padded, padded));
        let scale = 1.0 / (queries.width() as f32).sqrt();
        for row in self.scores.chunks_exact_mut(padded) {
            row[tokens..].fill(f32::NEG_INFINITY);
        }
        kernel.softmax(&mut self.scores, padded, scale);
        kernel.matmul(Rows::new(&self.scores, asked, tokens, padded), &self.values, None, out);
    }
}

/// The largest magnitude of each component.
fn reach(rows: &[f32], width: usize) -> Vec<f32> {
    let mut largest = vec![0.0_f32; width];
    for row in rows.chunks_exact(width) {
        largest.iter_mut().zip(row).for_each(|(largest, x)| *largest = largest.max(x.abs()));
    }
    largest
}

fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}

/// The mean of the rows or the first of them, scaled to length 1.
pub(super) fn pool(pooling: Pooling, rows: &[f32], out: &mut [f32]) {
    let taken = if pooling == Pooling::Cls { &rows[..out.len()] } else { rows };
    out.fill(0.0);
    taken.chunks_exact(out.len()).for_each(|row| add(out, row));
    let length = out.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    // The mean's divisor falls out with the length.
    for x in out {
        *x = (f64::from(*x) / length) as f32;
    }
}
