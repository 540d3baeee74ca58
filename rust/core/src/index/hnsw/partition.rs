//! One partition, in the form that its size asks for.

use std::convert::Infallible;

use super::Shape;
use super::graph::Graph;
use super::query::Query;
use super::rows::Rows;
use crate::error::Result;
use crate::index::Hit;

#[derive(Debug)]
pub(super) struct Partition {
    name: u128,
    form: Form,
}

/// How the rows lie. In either form a row has a key, by which the index finds it.
#[derive(Debug)]
pub(super) enum Form {
    Flat(Rows),
    Graph(Box<Graph>),
}

impl Partition {
    pub(super) fn new(name: u128) -> Self {
        Self { name, form: Form::Flat(Rows::default()) }
    }

    pub(super) fn name(&self) -> u128 {
        self.name
    }

    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::Flat(rows) => rows.len(),
            Form::Graph(graph) => graph.len(),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Flat(rows) => rows.memory_bytes(),
            Form::Graph(graph) => size_of::<Graph>() + graph.memory_bytes(),
        }
    }

    /// Makes room for `count` rows where it is known what they need.
    pub(super) fn reserve(&mut self, count: usize, dim: usize) {
        if let Form::Flat(rows) = &mut self.form {
            rows.reserve(count, dim);
        }
    }

    /// Returns the key of the new row.
    pub(super) fn add(&mut self, id: u64, row: &[f32], square: f64) -> Result<u32> {
        match &mut self.form {
            Form::Flat(rows) => Ok(rows.add(id, row, square)),
            Form::Graph(graph) => graph.add(id, row, square),
        }
    }

    /// Replaces a row and returns its new key.
    pub(super) fn update(&mut self, key: u32, id: u64, row: &[f32], square: f64) -> Result<u32> {
        match &mut self.form {
            Form::Flat(rows) => rows.update(key, row, square),
            Form::Graph(graph) => return graph.update(key, id, row, square),
        }
        Ok(key)
    }

    /// Removes a row; returns the id of the row that has its key from now on.
    pub(super) fn remove(&mut self, key: u32, id: u64) -> Option<u64> {
        match &mut self.form {
            Form::Flat(rows) => rows.remove(key),
            Form::Graph(graph) => {
                graph.remove(key, id);
                None
            }
        }
    }

    pub(super) fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>> {
        match &self.form {
            Form::Flat(rows) => Ok(rows.search(query)),
            Form::Graph(graph) => graph.search(query),
        }
    }

    /// Shows every row as it was given. Rows that were added one after the other come far apart: a graph that is given
    /// many rows of one kind first links them with each other alone.
    pub(super) fn each<E>(&self, show: impl FnMut(u64, &[f32]) -> Result<(), E>) -> Result<(), E> {
        match &self.form {
            Form::Flat(rows) => rows.each(show),
            Form::Graph(graph) => graph.each(show),
        }
    }

    /// The form that the partition should have, if it is another one and there is memory for it.
    pub(super) fn reshaped(&self, shape: Shape) -> Option<Form> {
        match &self.form {
            Form::Flat(rows) if rows.len() > shape.most_flat => self.as_graph(shape).ok(),
            Form::Graph(graph) if graph.len() < shape.most_flat / 2 => Some(self.as_rows(shape)),
            Form::Graph(graph) if graph.is_sparse() => self.as_graph(shape).ok(),
            _ => None,
        }
    }

    fn as_graph(&self, shape: Shape) -> Result<Form> {
        let mut graph = Graph::new(shape, self.len())?;
        self.each(|id, row| graph.add(id, row, shape.kernel.dot_f64(row, row)).map(drop))?;
        Ok(Form::Graph(Box::new(graph)))
    }

    fn as_rows(&self, shape: Shape) -> Form {
        let mut rows = Rows::default();
        rows.reserve(self.len(), shape.dim);
        let Ok(()) = self.each(|id, row| {
            rows.add(id, row, shape.kernel.dot_f64(row, row));
            Ok::<_, Infallible>(())
        });
        Form::Flat(rows)
    }

    /// Takes over the form that [`Partition::reshaped`] made; `place` is told every row's id and its new key.
    pub(super) fn install(&mut self, form: Form, mut place: impl FnMut(u64, u32)) {
        match &form {
            Form::Flat(rows) => rows.ids().iter().zip(0..).for_each(|(id, key)| place(*id, key)),
            Form::Graph(graph) => graph.each_key(place),
        }
        self.form = form;
    }
}

/// The numbers below `count`, each once, in steps of some five eighths of it.
pub(super) fn scattered(count: usize) -> impl Iterator<Item = usize> {
    let count = count as u64;
    let step = (count * 5 / 8..=count).find(|step| common_divisor(*step, count) == 1).unwrap_or(1);
    (0..count).map(move |at| (at * step % count) as usize)
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
