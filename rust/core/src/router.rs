//! Which model is good enough for a question: a weighted sum of signals, cut into tiers, and the reason in words.

mod phrases;
mod seed;
mod table;
#[cfg(test)]
mod tests;
mod words;

use std::fmt::Write as _;

use crate::error::{Error, Result};
use phrases::Phrases;
use table::decimal;
use words::{Words, pattern};

pub use table::{Exception, ONE, Rule, Signal, Table, Thousandths, Tier, estimate_tokens};

/// At most so many words of a rule stand in a reason; the signals hold all.
const WORDS_IN_REASON: usize = 5;

/// Where a phrase stands in a table.
#[derive(Clone, Copy)]
enum Place {
    /// Rule, and word of the rule.
    Word(usize, usize),
    /// Exception.
    Exception(usize),
}

/// A rule that fired, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// Name of the rule.
    pub name: String,
    /// What it adds to the score.
    pub weight: Thousandths,
    /// Its words that occur, as the table writes them, in the order of their first occurrence; empty for a rule of length.
    pub words: Vec<String>,
    /// The tokens that made a rule of length fire.
    pub tokens: Option<u64>,
}

/// The model for a question, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The model that serves the tier.
    pub model: String,
    /// Name of the tier.
    pub tier: String,
    /// Sum of the weights of `signals`, also where an exception decided.
    pub score: Thousandths,
    /// One line for a person.
    pub reason: String,
    /// The rules that fired, in the order of the table.
    pub signals: Vec<Fired>,
}

/// Chooses a tier by a table of weighted signals and exceptions.
///
/// Words are compared in NFC and lower case, as whole words: "then" does not occur in "strengthen". Between the words of a
/// phrase may stand anything but a sentence or clause mark. **Cost:** linear in the text, whatever the size of the table.
pub struct Router {
    table: Table,
    phrases: Phrases<Place>,
    generation: String,
}

impl Router {
    /// Compiles a table.
    ///
    /// # Errors
    /// `Config` if a name is empty or there twice, bounds do not ascend, a weight is above 1, an exception leads to no
    /// tier, or a phrase holds no word.
    pub fn new(table: Table) -> Result<Self> {
        table.check()?;
        check_words(&table.rules)?;
        let phrases = Phrases::new(places(&table))?;
        let generation = table.fingerprint().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Ok(Self { table, phrases, generation })
    }

    /// The table it was made from.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Identifies the table in 32 hexadecimal digits: equal tables, in any process, have equal generations.
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// Chooses a tier for `texts` together, such as a question and its context. `more_tokens` go with them and count for
    /// the length alone.
    pub fn route(&self, texts: &[&str], more_tokens: u64) -> Decision {
        let bytes = texts.iter().map(|text| text.len()).sum();
        let mut words = Words::with_capacity(bytes + 2 * texts.len());
        for text in texts {
            words.push(text);
        }
        let found = self.phrases.search(&words);
        let signals = self.fired(&found, estimate_tokens(bytes).saturating_add(more_tokens));
        let score = signals.iter().map(|signal| signal.weight).sum();
        let by_score = self.tier_of(score);
        let exception = found.iter().filter_map(|place| match place {
            Place::Exception(exception) => Some(*exception),
            Place::Word(..) => None,
        });
        let (tier, reason) = match exception.min() {
            Some(exception) => self.except(exception, by_score, score),
            None => (by_score, self.explain(by_score, score, &signals)),
        };
        let Tier { name, model, .. } = &self.table.tiers[tier];
        Decision { model: model.clone(), tier: name.clone(), score, reason, signals }
    }

    fn fired(&self, found: &[Place], tokens: u64) -> Vec<Fired> {
        let mut words = vec![Vec::new(); self.table.rules.len()];
        for place in found {
            if let Place::Word(rule, word) = *place {
                words[rule].push(word);
            }
        }
        let rules = self.table.rules.iter().zip(words);
        rules.filter_map(|(rule, words)| fire(rule, &words, tokens)).collect()
    }

    /// The first tier whose bound is above the score; the last has none.
    fn tier_of(&self, score: Thousandths) -> usize {
        let below = |tier: &Tier| tier.below.is_none_or(|below| score < below);
        self.table.tiers.iter().position(below).unwrap_or(self.table.tiers.len() - 1)
    }

    fn except(&self, exception: usize, by_score: usize, score: Thousandths) -> (usize, String) {
        let Exception { phrase, tier } = &self.table.exceptions[exception];
        let otherwise = &self.table.tiers[by_score].name;
        let reason =
            format!("exception '{phrase}' decides for {tier}; score {} alone says {otherwise}", decimal(score));
        (self.table.tier_named(tier).unwrap_or(by_score), reason)
    }

    fn explain(&self, tier: usize, score: Thousandths, signals: &[Fired]) -> String {
        let mut reason = format!("score {}", decimal(score));
        let floor = tier.checked_sub(1).and_then(|before| self.table.tiers[before].below);
        // Writing to a String cannot fail.
        let _ = match (floor, self.table.tiers[tier].below) {
            (_, Some(below)) => write!(reason, " is below {}: ", decimal(below)),
            (Some(floor), None) => write!(reason, " is at least {}: ", decimal(floor)),
            (None, None) => write!(reason, " of the only tier: "),
        };
        if signals.is_empty() {
            reason.push_str("no signal fired");
        }
        for (place, signal) in signals.iter().enumerate() {
            let plus = if place == 0 { "" } else { " + " };
            let _ = write!(reason, "{plus}{} {} ({})", signal.name, decimal(signal.weight), why(signal));
        }
        reason
    }
}

/// Says of a word that cannot be compared which rule it is of.
fn check_words(rules: &[Rule]) -> Result<()> {
    for Rule { name, signal, .. } in rules {
        let words: &[String] = if let Signal::Words(words) = signal { words } else { &[] };
        for word in words {
            pattern(word).map_err(|error| Error::new(error.kind(), format!("rule '{name}': {error}")))?;
        }
    }
    Ok(())
}

fn places(table: &Table) -> impl Iterator<Item = (&str, Place)> {
    let words = table.rules.iter().enumerate().flat_map(|(rule, Rule { signal, .. })| {
        let words: &[String] = if let Signal::Words(words) = signal { words } else { &[] };
        words.iter().enumerate().map(move |(word, phrase)| (phrase.as_str(), Place::Word(rule, word)))
    });
    let exceptions = table.exceptions.iter().enumerate();
    words.chain(exceptions.map(|(place, exception)| (exception.phrase.as_str(), Place::Exception(place))))
}

fn fire(rule: &Rule, found: &[usize], tokens: u64) -> Option<Fired> {
    let fired = |words, tokens| Fired { name: rule.name.clone(), weight: rule.weight, words, tokens };
    match &rule.signal {
        Signal::MinTokens(at_least) => (tokens >= *at_least).then(|| fired(Vec::new(), Some(tokens))),
        Signal::Words(words) => {
            let found: Vec<_> = found.iter().map(|&word| words[word].clone()).collect();
            (!found.is_empty()).then(|| fired(found, None))
        }
    }
}

fn why(signal: &Fired) -> String {
    if let Some(tokens) = signal.tokens {
        return format!("{tokens} tokens");
    }
    let shown = signal.words.len().min(WORDS_IN_REASON);
    let mut text = signal.words[..shown].join(", ");
    if signal.words.len() > shown {
        let _ = write!(text, ", {} more", signal.words.len() - shown);
    }
    text
}
