//! What makes two requests the same: normal form, canonical bytes, exact key, compatibility fingerprint, partition.
//!
//! A request that can be made in several ways has one normal form ([`Normal`]). Every field of it that can change the
//! answer goes into length-prefixed canonical bytes (`canonical`), and those through keyed BLAKE3, which is a MAC:
//! without the secret nobody can make a key or a partition, or tell a scope from one.

mod api;
mod canonical;
mod json;
mod links;
mod normal;
mod repeated;
mod text;
mod turns;
mod value;

pub use api::{Api, NULLABLE, UNCACHEABLE, VOLATILE, VOLATILE_HEADERS};
pub use normal::{Added, Fields, Normal};
pub use turns::ExactOnly;
pub use value::Value;

use crate::error::Result;
use canonical::{Canonical, nfc};
use repeated::RepeatedHash;

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
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The form in which the answer comes back.
    pub api: Api,
    /// The text of the last user turn, the only part that may match in other words; None if there is none.
    pub query: Option<&'a str>,
    /// The model that was asked for.
    pub model: &'a str,
    /// The system prompt.
    pub system: &'a str,
    /// The turns before the last one.
    pub history: &'a Value,
    /// What the last turn holds beside the query.
    pub turn: &'a Value,
    /// Every other parameter: temperature, tools, response format, unknown ones too.
    pub params: &'a Value,
    /// Documents that the answer may draw on.
    pub context: &'a Value,
    /// The application's own version of its prompt or data.
    pub version: &'a str,
    /// What the router's choice depends on beside the request; empty without a router.
    pub router: &'a str,
    /// Whether the answer is a stream of events.
    pub stream: bool,
}

/// Who a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Everything but the last user turn and the scope.
    pub fingerprint: Fingerprint,
    /// Everything.
    pub key: ExactKey,
    /// The key of the same request with its question in normal form; None if that is `key`. See [`Secret::normal_key`].
    pub normal_key: Option<ExactKey>,
}

/// The secret of a cache, under which its keys and partitions are made.
pub struct Secret {
    exact: RepeatedHash,
    folded: RepeatedHash,
    fingerprint: RepeatedHash,
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
            exact: RepeatedHash::new(derive("llmfast 2026-11 exact key")),
            folded: RepeatedHash::new(derive("llmfast 2026-11 exact key without case")),
            fingerprint: RepeatedHash::new(derive("llmfast 2026-11 compatibility fingerprint")),
            partition: derive("llmfast 2026-11 partition"),
            principal: derive("llmfast 2026-11 principal"),
            scope: derive("llmfast 2026-11 scope"),
            row: derive("llmfast 2026-11 row"),
        }
    }

    /// Fingerprint, exact key and normal key of a request.
    ///
    /// # Errors
    /// `Config` if a value is nested too deeply.
    pub fn identify(&self, scope: Scope<'_>, request: &Request<'_>, fold_case: bool) -> Result<Identity> {
        let fingerprint = self.fingerprint(request)?;
        let query = request.query.unwrap_or_default();
        let key = self.exact_key(scope, &fingerprint, query);
        let normal_key = self.normal_key(scope, &fingerprint, query, fold_case).filter(|normal| *normal != key);
        Ok(Identity { fingerprint, key, normal_key })
    }

    /// The same without the last user turn and the scope: only requests with one fingerprint may be compared by
    /// meaning.
    ///
    /// # Errors
    /// `Config` if a value is nested too deeply.
    pub fn fingerprint(&self, request: &Request<'_>) -> Result<Fingerprint> {
        let mut bytes = Canonical::with_capacity(256 + request.model.len() + request.system.len());
        bytes.text(request.api.name());
        // A request without a query is not the one whose query is empty.
        bytes.flag(request.query.is_some());
        bytes.text(request.model);
        bytes.text(request.system);
        bytes.value(request.history)?;
        bytes.value(request.turn)?;
        bytes.value(request.params)?;
        bytes.value(request.context)?;
        bytes.text(request.version);
        bytes.text(request.router);
        bytes.flag(request.stream);
        Ok(self.fingerprint.hash(bytes))
    }

    /// The exact key of a request with this query and [`Secret::fingerprint`].
    pub fn exact_key(&self, scope: Scope<'_>, fingerprint: &Fingerprint, query: &str) -> ExactKey {
        keyed(&self.exact, scope, fingerprint, query)
    }

    /// The exact key of the same request with its question in normal form; None if it is in normal form already.
    ///
    /// A row that is found under either key is an exact answer if its own exact key or its own normal key is the one
    /// that was looked up: so a question in normal form, whose key is its normal key, finds the rows of all others that
    /// are written in other ways, and they find its. In the normal form white space, width and typographic signs are
    /// one (the module `text` says which), and with `fold_case` case as well. Keys without case are a domain of their
    /// own: who did not ask for them never meets one.
    pub fn normal_key(
        &self,
        scope: Scope<'_>,
        fingerprint: &Fingerprint,
        query: &str,
        fold_case: bool,
    ) -> Option<ExactKey> {
        if fold_case {
            return Some(keyed(&self.folded, scope, fingerprint, &text::folded(query)));
        }
        text::normal(query).map(|normal| keyed(&self.exact, scope, fingerprint, &normal))
    }

    /// Where the rows lie that a request may be compared with by meaning: one scope, one encoder, one fingerprint.
    pub fn partition(&self, scope: Scope<'_>, encoder: &str, fingerprint: &Fingerprint) -> u128 {
        let mut bytes = Canonical::with_capacity(256);
        bytes.scope(scope);
        bytes.text(encoder);
        bytes.bytes(fingerprint);
        first_128_bits(bytes.hash(&self.partition))
    }

    /// Who asked, without saying who: the user, else the scope; None if there is neither.
    pub fn principal(&self, scope: Scope<'_>, user: Option<&str>) -> Option<u128> {
        let mut bytes = Canonical::with_capacity(256);
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
        let mut bytes = Canonical::with_capacity(128);
        bytes.scope(scope);
        first_128_bits(bytes.hash(&self.scope))
    }

    /// The key under which stored rows are sealed.
    pub fn row_key(&self) -> &[u8; 32] {
        &self.row
    }
}

/// Two steps: the secret makes a key for scope and fingerprint, and that one hashes the query where it lies. A query of
/// a kilobyte stays one chunk of BLAKE3 so, and nobody copies it.
fn keyed(secret: &RepeatedHash, scope: Scope<'_>, fingerprint: &Fingerprint, query: &str) -> ExactKey {
    let mut bytes = Canonical::with_capacity(128);
    bytes.scope(scope);
    bytes.bytes(fingerprint);
    *blake3::keyed_hash(&secret.hash(bytes), nfc(query).as_bytes()).as_bytes()
}

fn first_128_bits(hash: [u8; 32]) -> u128 {
    hash.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests;
