//! Rows as bytes.

use super::{Codec, Row, Usage};
use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8; 4] = b"LFR3";
const TAG_LENGTH: usize = 16;

impl Row {
    /// The bytes of the row, sealed with `key`.
    pub fn seal(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(192 + self.payload.len()));
        out.0.extend_from_slice(MAGIC);
        out.0.extend_from_slice(&self.key);
        out.0.extend_from_slice(&self.partition.to_le_bytes());
        out.0.extend_from_slice(&self.scope.to_le_bytes());
        out.bytes(self.question.as_bytes());
        out.0.push(codec_number(self.codec));
        out.bytes(&self.payload);
        out.option(self.usage.as_ref(), |out, usage| {
            out.number(usage.input_tokens);
            out.number(usage.output_tokens);
            out.0.push(u8::from(usage.estimated));
        });
        out.bytes(self.model.as_bytes());
        out.number(self.created_at_ms);
        out.option(self.expires_at_ms.as_ref(), |out, at| out.number(*at));
        out.number(self.stale_for_ms);
        out.bytes(self.version.as_bytes());
        out.number(self.tags.len() as u64);
        self.tags.iter().for_each(|tag| out.bytes(tag.as_bytes()));
        out.bytes(self.kind.as_bytes());
        out.option(self.principal.as_ref(), |out, principal| out.0.extend_from_slice(&principal.to_le_bytes()));
        out.option(self.cluster.as_ref(), |out, cluster| out.number(*cluster));
        let tag = blake3::keyed_hash(key, &out.0);
        out.0.extend_from_slice(&tag.as_bytes()[..TAG_LENGTH]);
        out.0
    }

    /// Reads a row that was sealed with `key`.
    ///
    /// # Errors
    /// `CorruptRow` if the bytes are damaged, truncated or sealed with another key.
    pub fn open(sealed: &[u8], key: &[u8; 32]) -> Result<Self> {
        let Some((body, tag)) = sealed.split_last_chunk::<TAG_LENGTH>() else {
            return Err(corrupt(&format!("{} bytes are too few", sealed.len())));
        };
        let expected = blake3::keyed_hash(key, body);
        // Whoever forges rows must not learn from the time it takes how much of a tag was right.
        let difference = expected.as_bytes().iter().zip(tag).fold(0, |sum, (a, b)| sum | (a ^ b));
        if difference != 0 {
            return Err(corrupt("its seal does not fit"));
        }
        Reader(body).row()
    }
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::CorruptRow, format!("damaged or forged row: {what}"))
}

fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::Text => 0,
        Codec::Bytes => 1,
        Codec::Json => 2,
        Codec::Events => 3,
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn option<T>(&mut self, option: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.0.push(u8::from(option.is_some()));
        if let Some(value) = option {
            write(self, value);
        }
    }
}

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn row(mut self) -> Result<Row> {
        if self.array()? != *MAGIC {
            return Err(corrupt("it does not begin with LFR3"));
        }
        let row = Row {
            key: self.array()?,
            partition: u128::from_le_bytes(self.array()?),
            scope: u128::from_le_bytes(self.array()?),
            question: self.text()?,
            codec: self.codec()?,
            payload: self.bytes()?.to_vec(),
            usage: self.option(Self::usage)?,
            model: self.text()?,
            created_at_ms: self.number()?,
            expires_at_ms: self.option(Self::number)?,
            stale_for_ms: self.number()?,
            version: self.text()?,
            tags: self.tags()?,
            kind: self.text()?,
            principal: self.option(|reader| Ok(u128::from_le_bytes(reader.array()?)))?,
            cluster: self.option(Self::number)?,
        };
        if self.0.is_empty() { Ok(row) } else { Err(corrupt(&format!("{} bytes follow its end", self.0.len()))) }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| corrupt("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(|| corrupt("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| corrupt("it ends too early"))?)
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| corrupt("a text in it is not UTF-8"))
    }

    fn tags(&mut self) -> Result<Vec<String>> {
        let count = self.number()?;
        // Each tag takes its length at least, so a lying count runs out of bytes before it runs out of memory.
        (0..count).map(|_| self.text()).collect()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.array()? {
            [0] => Ok(None),
            [1] => read(self).map(Some),
            [other] => Err(corrupt(&format!("a presence byte is {other}"))),
        }
    }

    fn usage(&mut self) -> Result<Usage> {
        let (input_tokens, output_tokens) = (self.number()?, self.number()?);
        Ok(Usage { input_tokens, output_tokens, estimated: self.option(|_| Ok(()))?.is_some() })
    }

    fn codec(&mut self) -> Result<Codec> {
        match self.array()? {
            [0] => Ok(Codec::Text),
            [1] => Ok(Codec::Bytes),
            [2] => Ok(Codec::Json),
            [3] => Ok(Codec::Events),
            [other] => Err(corrupt(&format!("its codec is {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    prop_compose! {
        fn row()(
            key in any::<[u8; 32]>(),
            (partition, scope) in any::<(u128, u128)>(),
            payload in prop::collection::vec(any::<u8>(), 0..64),
            codec in prop::sample::select(vec![Codec::Text, Codec::Bytes, Codec::Json, Codec::Events]),
            usage in prop::option::of(any::<(u64, u64, bool)>()),
            (model, version, kind, question) in ("\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}"),
            (created_at_ms, stale_for_ms) in any::<(u64, u64)>(),
            expires_at_ms in any::<Option<u64>>(),
            tags in prop::collection::vec("\\PC{0,6}", 0..4),
            principal in any::<Option<u128>>(),
            cluster in any::<Option<u64>>(),
        ) -> Row {
            let usage = usage.map(|(input_tokens, output_tokens, estimated)| Usage { input_tokens, output_tokens, estimated });
            Row {
                key, partition, scope, question, payload, codec, usage, model, created_at_ms, expires_at_ms, stale_for_ms, version,
                tags, kind, principal, cluster,
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_fresh_then_stale_then_gone(row in row(), now in any::<u64>(), limit in any::<Option<u64>>()) {
            let age = row.fresh_age_ms(now, Some(&row.kind), limit);
            prop_assert_eq!(age, (!row.is_expired(now)).then(|| now.saturating_sub(row.created_at_ms)));
            prop_assert!(!row.is_gone(now) || row.is_expired(now));
            let of_another_kind = row.fresh_age_ms(now, None, limit);
            prop_assert_eq!(of_another_kind, age.filter(|age| limit.is_none_or(|limit| *age <= limit)));
        }

        #[test]
        fn a_sealed_row_opens_as_it_was(row in row()) {
            prop_assert_eq!(Row::open(&row.seal(&KEY), &KEY).unwrap(), row);
        }

        #[test]
        fn another_key_opens_nothing(row in row()) {
            prop_assert_eq!(Row::open(&row.seal(&KEY), &[8; 32]).unwrap_err().kind(), ErrorKind::CorruptRow);
        }

        #[test]
        fn one_changed_bit_is_noticed(row in row(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
            let mut sealed = row.seal(&KEY);
            let at = at.index(sealed.len());
            sealed[at] ^= 1u8 << bit;
            prop_assert!(Row::open(&sealed, &KEY).is_err());
        }

        #[test]
        fn a_truncated_row_is_noticed(row in row(), end in any::<prop::sample::Index>()) {
            let sealed = row.seal(&KEY);
            prop_assert!(Row::open(&sealed[..end.index(sealed.len())], &KEY).is_err());
        }

        /// Behind a valid seal any bytes may stand: whoever has the key can still not make us panic.
        #[test]
        fn sealed_nonsense_is_an_error_or_a_row(row in row(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut sealed = row.seal(&KEY);
            sealed.truncate(sealed.len() - TAG_LENGTH);
            let at = at.index(sealed.len());
            sealed[at] = byte;
            let tag = blake3::keyed_hash(&KEY, &sealed);
            sealed.extend_from_slice(&tag.as_bytes()[..TAG_LENGTH]);
            if let Ok(row) = Row::open(&sealed, &KEY) {
                prop_assert_eq!(row.seal(&KEY), sealed);
            }
        }
    }
}
