//! A stored answer, and the bytes it is stored as.
//!
//! A sealed row is `"LFR3"`, the fields in order, each variable one behind its length, and a 16-byte keyed BLAKE3 tag over all
//! before it. Rows are data: opening one runs nothing, allocates no more than its own length, and a row that was damaged or
//! not sealed with this key is an error (for a cache: a miss).

mod codec;

use crate::request::ExactKey;

/// How the bytes of an answer are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// UTF-8 text.
    Text,
    /// Bytes as they are.
    Bytes,
    /// JSON in UTF-8.
    Json,
    /// A recorded stream of events: a JSON list in UTF-8.
    Events,
}

/// Tokens that a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Whether some were paid at another price than the list's, such as those that the provider had cached.
    pub estimated: bool,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The exact key of the request that it answers.
    pub key: ExactKey,
    /// Where it may be found by meaning.
    pub partition: u128,
    /// The scope that it belongs to, as a MAC.
    pub scope: u128,
    /// The last user turn that it answers, for the guards; empty where it may not be found by meaning.
    pub question: String,
    /// The answer.
    pub payload: Vec<u8>,
    /// How to read it.
    pub codec: Codec,
    /// What the call took, if it said so.
    pub usage: Option<Usage>,
    /// The model that served.
    pub model: String,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// When it ends, in milliseconds since the Unix epoch; None: never.
    pub expires_at_ms: Option<u64>,
    /// For how many milliseconds after its end it may still serve, while it is renewed or where that fails.
    pub stale_for_ms: u64,
    /// The application's own version of its prompt or data.
    pub version: String,
    /// Names under which it can be invalidated.
    pub tags: Vec<String>,
    /// Which policy applied.
    pub kind: String,
    /// Who asked, as a MAC.
    pub principal: Option<u128>,
    /// The group of near-identical questions it belongs to.
    pub cluster: Option<u64>,
}

impl Row {
    /// Whether its time is over.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|at| at <= now_ms)
    }

    /// Whether it is of no more use, not even stale.
    pub fn is_gone(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|at| at.saturating_add(self.stale_for_ms) <= now_ms)
    }

    /// Its age, if it is young enough to serve: its own time to live holds, and beside it `limit_ms`, unless the row is of
    /// the kind that is named here, whose time to live it has had all along.
    pub fn fresh_age_ms(&self, now_ms: u64, kind: Option<&str>, limit_ms: Option<u64>) -> Option<u64> {
        let age = now_ms.saturating_sub(self.created_at_ms);
        let too_old = kind != Some(self.kind.as_str()) && limit_ms.is_some_and(|limit| age > limit);
        (!self.is_expired(now_ms) && !too_old).then_some(age)
    }
}
