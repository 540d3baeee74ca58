//! The semantic cache: which requests are not to be compared by meaning ([`refusal`]), and the guards, which say whether two
//! texts that look alike to an encoder ask for different things.
//!
//! A guard uses no model. It reads both texts ([`Reading`]) and compares them by rules ([`veto`]): numbers, identifiers
//! and quotations must be the same; negators and opposites must cancel out; words that have no counterpart, in texts
//! that agree otherwise, are what the question is about. Rules for the words of a language are for English; German,
//! Spanish, French and Russian have their negators and number words, all others numbers and identifiers. Accents, the
//! case of names and the passage that a task is about are compared as they are written.

mod agent;
mod align;
mod beside;
mod bound;
mod chunk;
mod content;
mod count;
mod edit;
mod entry;
mod exact;
mod exchange;
mod fnv;
mod foreign;
mod frequent;
mod grammar;
mod language;
mod letters;
mod lexicon;
mod nuance;
mod order;
mod passage;
mod quantity;
mod reading;
pub mod refusal;
mod repair;
mod rewrite;
mod scan;
mod signs;
mod similar;
mod stem;
mod veto;
mod words;

pub use lexicon::guard_words;
pub use reading::Reading;
pub use veto::{Rule, Veto, Words};

use language::Language;

#[cfg(test)]
mod tests;

/// The rule by which the two texts ask for different things; None if no rule can tell.
///
/// Symmetric but for the order of words in the sentence, and never fires on texts that are equal. Takes time linear in
/// the readings' lengths.
pub fn veto(asked: &Reading, stored: &Reading) -> Option<Veto> {
    use std::cmp::Ordering;
    let order = asked.folded.cmp(&stored.folded).then_with(|| asked.letters.cmp(&stored.letters));
    match order.then_with(|| asked.passage.cmp(&stored.passage)) {
        Ordering::Equal => None,
        Ordering::Less => told(asked, stored),
        Ordering::Greater => told(stored, asked).map(Veto::turned),
    }
}

/// What differs to the letter, in texts that are the same without accents too; else what the words say.
fn told(a: &Reading, b: &Reading) -> Option<Veto> {
    passage::passages(a, b).or_else(|| letters::letters(a, b)).or_else(|| mended(a, b))
}

/// Judges the texts as they are; what then differs once more without misspelt words.
fn mended(a: &Reading, b: &Reading) -> Option<Veto> {
    let veto = judge(a, b)?;
    if a.language != Language::English || b.language != Language::English {
        return Some(veto);
    }
    match repair::repaired(a, b) {
        Some((a, b)) => judge(&a, &b),
        None => Some(veto),
    }
}

fn judge(a: &Reading, b: &Reading) -> Option<Veto> {
    if let Some(veto) = exact::names(a, b).or_else(|| exact::literals(a, b)).or_else(|| exact::signs(a, b)) {
        return Some(veto);
    }
    if a.language != b.language {
        return exact::numbers(a, b);
    }
    if a.language != Language::English {
        return foreign::foreign(a, b);
    }
    content::english(a, b).or_else(|| beside::sentences(a, b, content::english))
}
