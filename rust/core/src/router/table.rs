//! What a router is told: tiers, rules and exceptions.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Result};

/// Scores, weights and bounds are integers of a thousandth, so that .1 + .2 is .3.
pub type Thousandths = u32;

/// One, in thousandths.
pub const ONE: Thousandths = 1000;

/// A model, and the scores it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// How decisions call it.
    pub name: String,
    /// The model that serves it.
    pub model: String,
    /// Scores below this, and not below the tier before, belong here; None for the last tier.
    pub below: Option<Thousandths>,
}

/// What makes a rule fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The text has at least this many tokens, by [`estimate_tokens`].
    MinTokens(u64),
    /// One of these words or phrases occurs.
    Words(Vec<String>),
}

/// Adds `weight` to the score, once, if its signal fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How decisions call it.
    pub name: String,
    /// From 0 to [`ONE`].
    pub weight: Thousandths,
    /// When it fires.
    pub signal: Signal,
}

/// A phrase that decides alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// A word or phrase.
    pub phrase: String,
    /// Name of the tier that it leads to.
    pub tier: String,
}

/// Everything that a router is told. [`Table::default`] is the seed table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// By ascending bound.
    pub tiers: Vec<Tier>,
    /// In the order in which decisions report them.
    pub rules: Vec<Rule>,
    /// If several occur, the first of these counts.
    pub exceptions: Vec<Exception>,
}

/// Tokens of `bytes` of UTF-8: a quarter, rounded up. Four letters a token for English; scripts of two or three bytes a
/// letter come to about the one or two letters a token that tokenizers give them.
pub fn estimate_tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

impl Table {
    /// Checks everything but the phrases.
    ///
    /// # Errors
    /// `Config` with the number that is wrong.
    pub(super) fn check(&self) -> Result<()> {
        self.check_tiers()?;
        unique("rule", self.rules.iter().map(|rule| &rule.name))?;
        self.rules.iter().try_for_each(check_rule)?;
        self.check_exceptions()
    }

    /// Position of the tier that is called `name`.
    pub(super) fn tier_named(&self, name: &str) -> Option<usize> {
        self.tiers.iter().position(|tier| tier.name == name)
    }

    fn check_tiers(&self) -> Result<()> {
        unique("tier", self.tiers.iter().map(|tier| &tier.name))?;
        let Some((last, others)) = self.tiers.split_last() else {
            return config("a router needs at least 1 tier, got 0");
        };
        if let Some(below) = last.below {
            return config(format!("the last tier '{}' must have no upper bound, got {}", last.name, decimal(below)));
        }
        let mut floor = 0;
        for tier in others {
            match tier.below {
                Some(below) if below > floor => floor = below,
                Some(below) => {
                    let (below, floor) = (decimal(below), decimal(floor));
                    return config(format!("upper bound of tier '{}' must be above {floor}, got {below}", tier.name));
                }
                None => return config(format!("tier '{}' needs an upper bound: it is not the last", tier.name)),
            }
        }
        match self.tiers.iter().find(|tier| tier.model.is_empty()) {
            Some(tier) => config(format!("tier '{}' has no model", tier.name)),
            None => Ok(()),
        }
    }

    fn check_exceptions(&self) -> Result<()> {
        let known: Vec<_> = self.tiers.iter().map(|tier| tier.name.as_str()).collect();
        match self.exceptions.iter().find(|exception| !known.contains(&exception.tier.as_str())) {
            Some(Exception { phrase, tier }) => {
                let known = known.join(", ");
                config(format!("exception '{phrase}' leads to tier '{tier}'; the tiers are {known}"))
            }
            None => Ok(()),
        }
    }

    /// Hash of everything that can change a decision.
    pub(super) fn fingerprint(&self) -> [u8; 16] {
        let mut hash = Hash(blake3::Hasher::new_derive_key("llmfast 2026-11 router table"));
        hash.number(self.tiers.len() as u64);
        for tier in &self.tiers {
            hash.text(&tier.name);
            hash.text(&tier.model);
            hash.number(tier.below.map_or(0, |below| u64::from(below) + 1));
        }
        hash.number(self.rules.len() as u64);
        for Rule { name, weight, signal } in &self.rules {
            hash.text(name);
            hash.number(u64::from(*weight));
            match signal {
                Signal::MinTokens(tokens) => {
                    hash.number(0);
                    hash.number(*tokens);
                }
                Signal::Words(words) => {
                    hash.number(1);
                    hash.number(words.len() as u64);
                    for word in words {
                        hash.text(word);
                    }
                }
            }
        }
        for Exception { phrase, tier } in &self.exceptions {
            hash.text(phrase);
            hash.text(tier);
        }
        let mut out = [0; 16];
        hash.0.finalize_xof().fill(&mut out);
        out
    }
}

/// Length-prefixed, so that no two tables give the same bytes.
struct Hash(blake3::Hasher);

impl Hash {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }
}

fn check_rule(rule: &Rule) -> Result<()> {
    let name = &rule.name;
    if rule.weight > ONE {
        return config(format!("weight of rule '{name}' must be from 0 to 1, got {}", decimal(rule.weight)));
    }
    match &rule.signal {
        Signal::MinTokens(0) => config(format!("min_tokens of rule '{name}' must be at least 1, got 0")),
        Signal::Words(words) if words.is_empty() => config(format!("rule '{name}' needs at least 1 word, got 0")),
        _ => Ok(()),
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen = HashSet::new();
    for (place, name) in names.enumerate() {
        if name.is_empty() {
            return config(format!("{what} {} has no name", place + 1));
        }
        if !seen.insert(name) {
            return config(format!("two {what}s are called '{name}'"));
        }
    }
    Ok(())
}

/// Thousandths as a person writes them: 300 is 0.3.
pub(super) fn decimal(thousandths: Thousandths) -> f64 {
    f64::from(thousandths) / f64::from(ONE)
}

fn config<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(ErrorKind::Config, message))
}
