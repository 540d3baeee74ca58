//! Codecs by name, and float seconds as the milliseconds of rows.

use llmfast_core::row::Codec;
use llmfast_core::{Error, ErrorKind};
use pyo3::prelude::*;

use crate::errors::to_py;

const CODECS: [(Codec, &str); 4] =
    [(Codec::Text, "text"), (Codec::Bytes, "bytes"), (Codec::Json, "json"), (Codec::Events, "events")];

/// The name of a codec.
pub(crate) fn codec_name(codec: Codec) -> &'static str {
    CODECS.iter().find(|(other, _)| *other == codec).map_or("", |(_, name)| name)
}

/// The codec of a name.
pub(crate) fn codec_named(name: &str) -> PyResult<Codec> {
    let known = CODECS.iter().find(|(_, other)| *other == name).map(|(codec, _)| *codec);
    known.ok_or_else(|| {
        let message = format!("codec must be 'text', 'bytes', 'json' or 'events', got '{name}'");
        to_py(Error::new(ErrorKind::Config, message))
    })
}

/// Float seconds as whole milliseconds. Casting saturates: a time before 1970 is 1970, one beyond the number's range is its end.
pub(crate) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

/// Milliseconds as float seconds.
pub(crate) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
