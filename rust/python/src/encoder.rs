//! Bindings of the sentence encoders; `llmfast._encoder` finds the model's folder.

use std::path::PathBuf;
use std::sync::Arc;

use llmfast_core::encoder::{BertEncoder, Options, Overlong, Pooling, Precision};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;

use crate::errors::to_py;
use crate::support::texts::{self, Texts};
use crate::support::vectors::{self, Encoding};

type Any<'py> = Bound<'py, PyAny>;

/// What `BertEncoder` and `MiniLM` are made of: the model in `folder`, a call split over `threads` (1 to 256).
///
/// `memo` names the file that remembers the SHA-256 of weights. With `minilm` it is all-MiniLM-L6-v2 or nothing.
#[pyclass(module = "llmfast._llmfast", name = "BertEncoderCore", frozen, subclass)]
pub(crate) struct PyBertEncoder(pub(crate) Arc<BertEncoder>);

#[pymethods]
impl PyBertEncoder {
    /// A folder of any such model, or of all-MiniLM-L6-v2 alone.
    #[new]
    #[pyo3(signature = (folder, *, precision, threads, memo = None, pooling = None, minilm = false))]
    fn new(
        py: Python<'_>,
        folder: PathBuf,
        precision: &str,
        threads: usize,
        memo: Option<PathBuf>,
        pooling: Option<&str>,
        minilm: bool,
    ) -> PyResult<Self> {
        let pooling = pooling.map(Pooling::by_name).transpose().map_err(to_py)?;
        let kernel = vectors::kernel()?;
        let precision = Precision::by_name(precision, kernel).map_err(to_py)?;
        let options = Options { precision, threads, kernel, pooling, memo: memo.as_deref() };
        let open = if minilm { BertEncoder::open_minilm } else { BertEncoder::open };
        py.detach(|| open(&folder, &options)).map(|encoder| Self(Arc::new(encoder))).map_err(to_py)
    }

    /// Return the vector of a text, shape (dim,), or of each of a list or tuple, shape (n, dim), unit length.
    ///
    /// A text of more than `max_tokens` tokens is cut; with `truncate=False` it is a TextTooLongError. InvalidTextError
    /// for a lone surrogate, TypeError for what is not str.
    #[pyo3(signature = (texts, *, truncate = true))]
    fn encode<'py>(&self, py: Python<'py>, texts: &Any<'py>, truncate: bool) -> PyResult<Any<'py>> {
        let (texts, overlong) = (texts::texts(texts)?, if truncate { Overlong::Cut } else { Overlong::Refuse });
        let vectors = py.detach(|| self.0.encode(texts.as_slice(), overlong)).map_err(to_py)?;
        let array = PyArray1::from_vec(py, vectors);
        match texts {
            Texts::One(_) => Ok(array.into_any()),
            Texts::Many(texts) => Ok(array.reshape([texts.len(), self.0.dim()])?.into_any()),
        }
    }

    /// One text, for an index alone.
    fn _encode_for_index(&self, py: Python<'_>, text: &Any<'_>) -> PyResult<Encoding> {
        let text = texts::text(text, "the text")?;
        py.detach(|| self.0.encode(&[&*text], Overlong::Cut)).map(|vector| Encoding(vector.into())).map_err(to_py)
    }

    /// Return the number of tokens of a text, [CLS] and [SEP] included, before it is cut.
    fn count_tokens(&self, py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<usize> {
        let text = texts::text(text, "the text")?;
        py.detach(|| self.0.count_tokens(&text)).map_err(to_py)
    }

    /// Return what is read of a text: its token ids, [CLS] and [SEP] included, cut.
    fn token_ids(&self, py: Python<'_>, text: &Any<'_>) -> PyResult<Vec<u32>> {
        let text = texts::text(text, "the text")?;
        py.detach(|| self.0.token_ids(&text)).map_err(to_py)
    }

    /// Return why a text may get the vector of another text that it is not; None if the whole text is read.
    ///
    /// Words and signs that are not in the vocabulary (emoji, most Chinese and Thai, random strings) all look the same
    /// to the encoder, and what comes after `max_tokens` is not looked at. Case (but for models that read it), accents
    /// and the kind of white space are not read in any text.
    fn unread(&self, py: Python<'_>, text: &Any<'_>) -> PyResult<Option<String>> {
        let text = texts::text(text, "the text")?;
        py.detach(|| self.0.unread(&text)).map_err(to_py)
    }

    /// Components of a vector; all-MiniLM-L6-v2 has 384.
    #[getter]
    fn dim(&self) -> usize {
        self.0.dim()
    }

    /// Bytes of the weights as they are held, the word vectors in the mapped file included.
    #[getter]
    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// What the weights are held in: "f32", "int16", "bf16" or "int8".
    #[getter]
    fn precision(&self) -> &str {
        self.0.precision().name()
    }

    /// Names everything that decides what a vector is; vectors of one fingerprint may be compared.
    #[getter]
    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    /// Tokens of a text that are read, [CLS] and [SEP] included; all-MiniLM-L6-v2 reads 256.
    #[getter]
    fn max_tokens(&self) -> usize {
        self.0.max_tokens()
    }
}

/// The name of the kernel that index and encoder use.
#[pyfunction]
fn kernel_name() -> PyResult<&'static str> {
    Ok(vectors::kernel()?.name())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyBertEncoder>()?;
    module.add_class::<Encoding>()?;
    module.add_function(wrap_pyfunction!(kernel_name, module)?)
}
