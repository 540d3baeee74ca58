//! Canonical bytes: every part carries its type and length, so that no two different values share their bytes.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{Scope, Value};
use crate::error::{Error, ErrorKind, Result};

/// Lists and maps inside each other at most; deeper data is refused before it can exhaust the stack.
pub(super) const MAX_DEPTH: usize = 128;

/// From 2^127 on a float is encoded by its bits; below, a whole one by its value like an integer.
const WHOLE_FLOAT_LIMIT: f64 = 1.7e38;

/// Bytes being collected.
pub(super) struct Canonical {
    out: Vec<u8>,
    /// Where the entries of the maps lie that are being written, the innermost map's last.
    entries: Vec<(usize, usize)>,
    /// The entries of a map while they are put in order.
    sorting: Vec<u8>,
}

impl Canonical {
    /// Makes room for `bytes`, lengths included: what is larger moves while it grows.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), entries: Vec::new(), sorting: Vec::new() }
    }

    /// Keyed BLAKE3 of what was collected.
    pub(super) fn hash(&self, key: &[u8; 32]) -> [u8; 32] {
        *blake3::keyed_hash(key, &self.out).as_bytes()
    }

    pub(super) fn scope(&mut self, scope: Scope<'_>) {
        match scope {
            Scope::Single => self.part(b'o', &[]),
            Scope::Public => self.part(b'p', &[]),
            // Byte by byte: names that Unicode calls equal may be two tenants in the application's database.
            Scope::Named(name) => self.part(b'n', name.as_bytes()),
        }
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.part(b'?', &[u8::from(flag)]);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.part(b't', nfc(text).as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.part(b'b', bytes);
    }

    pub(super) fn value(&mut self, value: &Value) -> Result<()> {
        self.nested(value, MAX_DEPTH)
    }

    fn nested(&mut self, value: &Value, depth: usize) -> Result<()> {
        match value {
            Value::Null => self.part(b'0', &[]),
            Value::Bool(flag) => self.flag(*flag),
            Value::Integer(number) => self.part(b'i', &number.to_le_bytes()),
            Value::BigInteger(digits) => self.part(b'I', digits.as_bytes()),
            Value::Float(number) => self.float(*number),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(values) => {
                let depth = deeper(depth)?;
                self.count(b'l', values.len());
                values.iter().try_for_each(|value| self.nested(value, depth))?;
            }
            Value::Map(entries) => {
                let depth = deeper(depth)?;
                self.count(b'm', entries.len());
                self.map(entries, depth)?;
            }
        }
        Ok(())
    }

    fn map(&mut self, entries: &[(String, Value)], depth: usize) -> Result<()> {
        let (first, begin) = (self.entries.len(), self.out.len());
        for (name, value) in entries {
            let start = self.out.len();
            self.text(name);
            self.nested(value, depth)?;
            self.entries.push((start, self.out.len()));
        }
        self.sort(first, begin);
        Ok(())
    }

    /// Sorts the map whose entries begin at `begin` and are noted from `first` on. Whole entries are compared, so names that
    /// become equal in NFC still have one order.
    fn sort(&mut self, first: usize, begin: usize) {
        let Self { out, entries, sorting } = self;
        let spans = &mut entries[first..];
        let entry = |&(start, end): &(usize, usize)| &out[start..end];
        if !spans.is_sorted_by_key(entry) {
            spans.sort_unstable_by(|a, b| entry(a).cmp(entry(b)));
            sorting.clear();
            spans.iter().for_each(|span| sorting.extend_from_slice(entry(span)));
            out[begin..].copy_from_slice(sorting);
        }
        entries.truncate(first);
    }

    fn float(&mut self, number: f64) {
        if number.fract() == 0.0 && number.abs() < WHOLE_FLOAT_LIMIT {
            self.part(b'i', &(number as i128).to_le_bytes());
        } else {
            let bits = if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
            self.part(b'f', &bits.to_le_bytes());
        }
    }

    fn part(&mut self, tag: u8, content: &[u8]) {
        self.count(tag, content.len());
        self.out.extend_from_slice(content);
    }

    fn count(&mut self, tag: u8, count: usize) {
        self.out.push(tag);
        self.out.extend_from_slice(&(count as u64).to_le_bytes());
    }
}

/// The depth that is left inside of a list or map.
///
/// # Errors
/// `Config` if none is.
pub(super) fn deeper(depth: usize) -> Result<usize> {
    depth.checked_sub(1).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("lists and maps are nested more than {MAX_DEPTH} levels deep"))
    })
}

pub(super) fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}
