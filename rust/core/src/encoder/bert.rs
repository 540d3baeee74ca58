//! The forward pass of a BERT encoder over texts of different lengths, one after the other without padding.
//!
//! Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers (2019); the mean over the tokens and the unit
//! length are those of Reimers and Gurevych, Sentence-BERT (2019).

use std::ops::Range;

use super::config::Shape;
use super::weights::Weights;
use crate::error::Result;
use crate::kernel::{Kernel, Packed, Rows, RowsMut};

/// x·W + b.
#[derive(Debug)]
pub(super) struct Linear {
    weights: Packed,
    bias: Vec<f32>,
}

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
    words: Range<usize>,
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

    /// The tokens of each text.
    fn spans(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let mut start = 0;
        self.ends.clone().into_iter().map(move |end| std::mem::replace(&mut start, end)..end)
    }
}

impl Bert {
    /// Packs the weights of a model of the given shape.
    pub(super) fn load(shape: Shape, weights: Weights) -> Result<Self> {
        let hidden = shape.hidden;
        let mut positions = weights.values("embeddings.position_embeddings.weight", &[shape.positions, hidden])?;
        let types = weights.values("embeddings.token_type_embeddings.weight", &[shape.types, hidden])?;
        positions.chunks_exact_mut(hidden).for_each(|position| add(position, &types[..hidden]));
        let mut layers =
            (0..shape.layers).map(|layer| Layer::load(&shape, &weights, layer)).collect::<Result<Vec<_>>>()?;
        Packed::gather(&mut layers.iter_mut().flat_map(Layer::matrices).collect::<Vec<_>>());
        Ok(Self {
            words: weights.range("embeddings.word_embeddings.weight", &[shape.vocabulary, hidden])?,
            embedding_norm: Norm::load(&weights, "embeddings.LayerNorm", hidden)?,
            positions,
            layers,
            shape,
            weights,
        })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Writes the vector of each text that `scratch` holds to `out`, and empties `scratch`.
    ///
    /// Ids are below the vocabulary, and a text has at least one token and no more than there are positions.
    pub(super) fn forward(&self, kernel: Kernel, scratch: &mut Scratch, out: &mut [f32]) {
        scratch.state.hidden.clear();
        for span in scratch.spans() {
            self.embed(&scratch.ids[span], 0, &mut scratch.state.hidden);
        }
        self.embedding_norm.apply(kernel, &mut scratch.state.hidden, self.shape.epsilon);
        for layer in &self.layers {
            layer.attend(kernel, &self.shape, scratch);
            layer.feed(kernel, &self.shape, &mut scratch.state);
        }
        for (span, out) in scratch.spans().zip(out.chunks_exact_mut(self.shape.hidden)) {
            pool(&scratch.state.hidden[span.start * out.len()..span.end * out.len()], out);
        }
        scratch.ids.clear();
        scratch.ends.clear();
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
            let word = self.weights.row(&self.words, *id as usize, width);
            hidden.extend(word.zip(position).map(|(word, position)| word + position));
        }
    }
}

impl Linear {
    fn load(weights: &Weights, name: &str, width: usize, out: usize) -> Result<Self> {
        Self::load_beside(weights, &[name], width, out)
    }

    /// Linear layers of the same input as one, their outputs side by side.
    fn load_beside(weights: &Weights, names: &[&str], width: usize, out: usize) -> Result<Self> {
        let (mut columns, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            columns.extend(weights.values(&format!("{name}.weight"), &[out, width])?);
            bias.extend(weights.values(&format!("{name}.bias"), &[out])?);
        }
        Ok(Self { weights: Packed::from_columns(Rows::new(&columns, out * names.len(), width, width)), bias })
    }

    /// Multiplies all rows of `input`; `out` is resized to the result.
    pub(super) fn apply(&self, kernel: Kernel, input: &[f32], out: &mut Vec<f32>) {
        let (width, columns) = (self.weights.depth(), self.weights.columns());
        let rows = input.len() / width;
        out.resize(rows * columns, 0.0);
        let out = RowsMut::new(out, rows, columns, columns);
        kernel.matmul(Rows::new(input, rows, width, width), &self.weights, Some(&self.bias), out);
    }
}

impl Norm {
    fn load(weights: &Weights, name: &str, width: usize) -> Result<Self> {
        let values = |part: &str| weights.values(&format!("{name}.{part}"), &[width]);
        Ok(Self { gamma: values("weight")?, beta: values("bias")? })
    }

    fn apply(&self, kernel: Kernel, rows: &mut [f32], epsilon: f32) {
        for row in rows.chunks_exact_mut(self.gamma.len()) {
            kernel.layer_norm(row, &self.gamma, &self.beta, epsilon);
        }
    }
}

impl Layer {
    fn load(shape: &Shape, weights: &Weights, layer: usize) -> Result<Self> {
        let (hidden, feed) = (shape.hidden, shape.feed_forward);
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let parts = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok(Self {
            attention: Linear::load_beside(weights, &parts.each_ref().map(String::as_str), hidden, hidden)?,
            projection: Linear::load(weights, &name("attention.output.dense"), hidden, hidden)?,
            attention_norm: Norm::load(weights, &name("attention.output.LayerNorm"), hidden)?,
            up: Linear::load(weights, &name("intermediate.dense"), hidden, feed)?,
            down: Linear::load(weights, &name("output.dense"), feed, hidden)?,
            norm: Norm::load(weights, &name("output.LayerNorm"), hidden)?,
        })
    }

    /// The matrices in the order in which a pass reads them.
    fn matrices(&mut self) -> [&mut Packed; 4] {
        [&mut self.attention, &mut self.projection, &mut self.up, &mut self.down].map(|linear| &mut linear.weights)
    }

    fn attend(&self, kernel: Kernel, shape: &Shape, scratch: &mut Scratch) {
        let (hidden, width) = (shape.hidden, shape.hidden / shape.heads);
        let spans = scratch.spans();
        let State { hidden: input, attention, context, head, .. } = &mut scratch.state;
        self.attention.apply(kernel, input, attention);
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
        self.projection.apply(kernel, &state.context, &mut state.output);
        add(&mut state.hidden, &state.output);
        self.attention_norm.apply(kernel, &mut state.hidden, shape.epsilon);
    }

    pub(super) fn feed(&self, kernel: Kernel, shape: &Shape, state: &mut State) {
        self.up.apply(kernel, &state.hidden, &mut state.feed);
        kernel.gelu(&mut state.feed);
        self.down.apply(kernel, &state.feed, &mut state.output);
        add(&mut state.hidden, &state.output);
        self.norm.apply(kernel, &mut state.hidden, shape.epsilon);
    }
}

impl Head {
    /// softmax(Q·Kᵀ/√d)·V over the keys and values of one text, for any of its queries.
    pub(super) fn attend(&mut self, kernel: Kernel, [queries, keys, values]: [Rows<'_>; 3], out: RowsMut<'_>) {
        let (asked, tokens) = (queries.count(), keys.count());
        self.keys.pack_columns(keys);
        self.values.pack_rows(values);
        self.scores.resize(asked * tokens, 0.0);
        kernel.matmul(queries, &self.keys, None, RowsMut::new(&mut self.scores, asked, tokens, tokens));
        let scale = 1.0 / (queries.width() as f32).sqrt();
        self.scores.chunks_exact_mut(tokens).for_each(|row| kernel.softmax(row, scale));
        kernel.matmul(Rows::new(&self.scores, asked, tokens, tokens), &self.values, None, out);
    }
}

fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}

/// The mean of the rows, scaled to length 1.
pub(super) fn pool(rows: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    rows.chunks_exact(out.len()).for_each(|row| add(out, row));
    let length = out.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    // The mean's divisor falls out with the length.
    for x in out {
        *x = (f64::from(*x) / length) as f32;
    }
}
