//! What makes two requests the same: canonical bytes, exact key, compatibility fingerprint, partition.
//!
//! Every field that can change the answer goes into length-prefixed canonical bytes (`canonical`), and those through
//! keyed BLAKE3, which is a MAC: without the secret nobody can make a key or a partition, or tell a scope from one.

mod canonical;
mod value;

pub use value::Value;

use crate::error::Result;
use canonical::Canonical;

/// Identifies a request: 256 bits over everything that can change the answer, scope included.
pub type ExactKey = [u8; 32];

/// Identifies everything of a request but the last user turn and the scope.
pub type Fingerprint = [u8; 32];

/// The tenant whose rows a request may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope<'a> {
    /// The one scope of an application that names none.
    Single,
    /// Rows that every scope may see.
    Public,
    /// A tenant.
    Named(&'a str),
}

/// A question to a model, and everything beside it that can change the answer.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The last user turn; the only part that may match in other words.
    pub query: &'a str,
    /// The model that was asked for.
    pub model: &'a str,
    /// The system prompt.
    pub system: &'a str,
    /// The turns before the last one.
    pub history: Value,
    /// Every other parameter: temperature, tools, response format, unknown ones too.
    pub params: Value,
    /// Documents that the answer may draw on.
    pub context: Value,
    /// The application's own version of its prompt or data.
    pub version: &'a str,
    /// What the router's choice depends on beside the request; empty without a router.
    pub router: &'a str,
    /// Whether the answer is a stream of events.
    pub stream: bool,
}

/// The secret of a cache, under which its keys and partitions are made.
#[derive(Clone)]
pub struct Secret {
    exact: [u8; 32],
    fingerprint: [u8; 32],
    partition: [u8; 32],
    principal: [u8; 32],
    scope: [u8; 32],
    row: [u8; 32],
}

impl Secret {
    /// Derives the keys for each use from `secret`, which may have any length.
    pub fn new(secret: &[u8]) -> Self {
        let derive = |context| blake3::derive_key(context, secret);
        Self {
            exact: derive("llmfast 2026-11 exact key"),
            fingerprint: derive("llmfast 2026-11 compatibility fingerprint"),
            partition: derive("llmfast 2026-11 partition"),
            principal: derive("llmfast 2026-11 principal"),
            scope: derive("llmfast 2026-11 scope"),
            row: derive("llmfast 2026-11 row"),
        }
    }

    /// The same without the last user turn and the scope: only requests with one fingerprint may be compared by meaning.
    ///
    /// # Errors
    /// `Config` if a value is nested too deeply.
    pub fn fingerprint(&self, request: &Request<'_>) -> Result<Fingerprint> {
        let mut bytes = Canonical::new();
        bytes.text(request.model);
        bytes.text(request.system);
        bytes.value(&request.history)?;
        bytes.value(&request.params)?;
        bytes.value(&request.context)?;
        bytes.text(request.version);
        bytes.text(request.router);
        bytes.value(&Value::Bool(request.stream))?;
        Ok(bytes.hash(&self.fingerprint))
    }

    /// The exact key of a request with this query and [`Secret::fingerprint`].
    pub fn exact_key(&self, scope: Scope<'_>, fingerprint: &Fingerprint, query: &str) -> ExactKey {
        let mut bytes = Canonical::new();
        bytes.scope(scope);
        bytes.bytes(fingerprint);
        bytes.text(query);
        bytes.hash(&self.exact)
    }

    /// Where the rows lie that a request may be compared with by meaning: one scope, one encoder, one fingerprint.
    pub fn partition(&self, scope: Scope<'_>, encoder: &str, fingerprint: &Fingerprint) -> u128 {
        let mut bytes = Canonical::new();
        bytes.scope(scope);
        bytes.text(encoder);
        bytes.bytes(fingerprint);
        first_128_bits(bytes.hash(&self.partition))
    }

    /// Who asked, without saying who: the user, else the scope; None if there is neither.
    pub fn principal(&self, scope: Scope<'_>, user: Option<&str>) -> Option<u128> {
        let mut bytes = Canonical::new();
        match (user, scope) {
            (Some(user), scope) => {
                bytes.scope(scope);
                bytes.bytes(user.as_bytes());
            }
            (None, Scope::Named(_)) => bytes.scope(scope),
            (None, Scope::Single | Scope::Public) => return None,
        }
        Some(first_128_bits(bytes.hash(&self.principal)))
    }

    /// A scope, without saying which: what rows are invalidated by.
    pub fn scope(&self, scope: Scope<'_>) -> u128 {
        let mut bytes = Canonical::new();
        bytes.scope(scope);
        first_128_bits(bytes.hash(&self.scope))
    }

    /// The key under which stored rows are sealed.
    pub fn row_key(&self) -> &[u8; 32] {
        &self.row
    }
}

fn first_128_bits(hash: [u8; 32]) -> u128 {
    hash.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests;
