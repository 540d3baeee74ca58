//! Canonical bytes: every part carries its type and, where types leave it open, its length, so that no two different
//! values share their bytes and no sequence of parts is the beginning of another.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{Scope, Value};
use crate::error::{Error, ErrorKind, Result};

/// Lists and maps inside each other at most; deeper data is refused before it can exhaust the stack.
pub(super) const MAX_DEPTH: usize = 128;

/// From 2^127 on a float is encoded by its bits; below, a whole one by its value like an integer.
const WHOLE_FLOAT_LIMIT: f64 = 1.7e38;

/// Maps of up to this many entries with names in ASCII are put in order before they are written, larger ones
/// afterwards.
const SMALL_MAP: usize = 16;

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

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
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
        self.out.push(if flag { b'T' } else { b'F' });
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
            Value::Null => self.out.push(b'0'),
            Value::Bool(flag) => self.flag(*flag),
            Value::Integer(number) => self.integer(*number),
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
        let mut order = [0; SMALL_MAP];
        if let Some(order) = order_of_names(entries, &mut order) {
            return order.iter().try_for_each(|&at| {
                let (name, value) = &entries[usize::from(at)];
                // It is ASCII, and so in NFC.
                self.part(b't', name.as_bytes());
                self.nested(value, depth)
            });
        }
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

    /// Sorts the map whose entries begin at `begin` and are noted from `first` on. Whole entries are compared, so names
    /// that become equal in NFC still have one order.
    fn sort(&mut self, first: usize, begin: usize) {
        let Self { out, entries, sorting } = self;
        let spans = &mut entries[first..];
        let entry = |&(start, end): &(usize, usize)| &out[start..end];
        if !spans.is_sorted_by_key(entry) {
            spans.sort_unstable_by(|a, b| entry(a).cmp(entry(b)));
            sorting.clear();
            for span in spans.iter() {
                sorting.extend_from_slice(entry(span));
            }
            out[begin..].copy_from_slice(sorting);
        }
        entries.truncate(first);
    }

    /// As few bytes as hold the number and its sign.
    fn integer(&mut self, number: i128) {
        let magnitude = if number < 0 { !number } else { number };
        let length = (128 - magnitude.leading_zeros()) as usize / 8 + 1;
        self.part(b'i', &number.to_le_bytes()[..length]);
    }

    fn float(&mut self, number: f64) {
        if number.fract() == 0.0 && number.abs() < WHOLE_FLOAT_LIMIT {
            self.integer(number as i128);
        } else {
            let bits = if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
            self.part(b'f', &bits.to_le_bytes());
        }
    }

    fn part(&mut self, tag: u8, content: &[u8]) {
        self.count(tag, content.len());
        self.out.extend_from_slice(content);
    }

    /// A count in groups of seven bits, the lowest first; all but the last group have the eighth bit set.
    fn count(&mut self, tag: u8, count: usize) {
        self.out.push(tag);
        let mut left = count;
        while left > 0x7f {
            self.out.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.out.push(left as u8);
    }
}

/// The order of a small map by its names; None if it is none, if names may become equal in NFC, or are equal.
fn order_of_names<'a>(entries: &[(String, Value)], order: &'a mut [u8; SMALL_MAP]) -> Option<&'a [u8]> {
    if entries.len() > SMALL_MAP || !entries.iter().all(|(name, _)| name.is_ascii()) {
        return None;
    }
    for at in 0..entries.len() {
        let (name, mut place) = (&entries[at].0, at);
        while place > 0 && entries[usize::from(order[place - 1])].0 >= *name {
            if entries[usize::from(order[place - 1])].0 == *name {
                return None;
            }
            order[place] = order[place - 1];
            place -= 1;
        }
        order[place] = at as u8;
    }
    Some(&order[..entries.len()])
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
    if text.is_ascii() || text.chars().all(is_composed) || is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Whether a character stands as it is in NFC whatever is beside it: most of those that people write do, and a look at
/// a table for each of them takes ten times as long.
fn is_composed(c: char) -> bool {
    matches!(c,
        // Latin, Greek's vowels, Cyrillic; dashes, quotation marks, signs of money.
        '\0'..='\u{2ff}' | '\u{3ac}'..='\u{482}' | '\u{48a}'..='\u{52f}' | '\u{2010}'..='\u{2027}' | '\u{20a0}'..='\u{20bf}'
        // Chinese, Japanese, Korean.
        | '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{ff01}'..='\u{ff60}'
        // Pictures.
        | '\u{1f300}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use unicode_normalization::char::canonical_combining_class;
    use unicode_normalization::{IsNormalized, is_nfc_quick};

    use super::*;

    #[test]
    fn what_is_composed_is_so_beside_anything() {
        for c in ('\0'..=char::MAX).filter(|&c| is_composed(c)) {
            let alone = is_nfc_quick([c].into_iter());
            assert!(alone == IsNormalized::Yes && canonical_combining_class(c) == 0, "{c:?}");
        }
    }
}
