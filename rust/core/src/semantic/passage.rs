//! The passage that a task is about: "Proofread: we was happy", "Translate to German: I go home".
//!
//! Whoever has a text corrected, translated or classified gets an answer to this text and to no other, however alike: each
//! letter counts there.

use super::reading::Reading;
use super::scan::fold;
use super::veto::{Rule, Veto};

/// How words begin that name what is done with a text, in lower case and without accents.
const TASKS: &[&str] = &[
    "translat",
    "proofread",
    "proof-read",
    "correct",
    "rewrit",
    "reword",
    "rephras",
    "paraphras",
    "summari",
    "shorten",
    "simplif",
    "improv",
    "polish",
    "edit",
    "fix",
    "punctuat",
    "capitali",
    "spell",
    "grammar",
    "grammatic",
    "classif",
    "sentiment",
    "extract",
    "conjugat",
    "transcrib",
    "transliterat",
    "convert",
    "format",
    "revers",
    "reply",
    "respond",
    "turn",
    "tone",
    "tense",
    "plural",
    "regex", // English
    "ubersetz",
    "korrigier",
    "verbesser",
    "zusammenfass",
    "umschreib",
    "umformulier", // German
    "traduc",
    "corrig",
    "resum",
    "reescrib",
    "reformul",
    "traduis",
    "traduir", // Spanish, French
    "перевед",
    "перевест",
    "исправ",
    "перефраз",
    "перескаж", // Russian
];

/// Words that point at what follows the colon.
const POINTING: &[&str] = &[
    "this",
    "these",
    "following",
    "below",
    "sentence",
    "paragraph",
    "passage",
    "phrase",
    "snippet",
    "folgenden",
    "siguiente",
];

/// With more words in front of the colon the task is not looked for: that is a text of its own.
const MAX_HEAD: usize = 16;

/// The passage that a text asks to do something with: what stands behind the first colon or line.
pub(super) fn passage(text: &str) -> Option<String> {
    let (head, passage) = divided(text.trim())?;
    let passage = passage.trim();
    if passage.is_empty() || head.split_whitespace().nth(MAX_HEAD).is_some() {
        return None;
    }
    let head = fold(head).to_lowercase();
    let mut words = head.split(|c: char| !c.is_alphanumeric() && c != '-');
    let names = |word: &str| TASKS.iter().any(|task| word.starts_with(task)) || POINTING.contains(&word);
    words.any(names).then(|| passage.to_owned())
}

/// A text at its first colon that white space follows, or at the end of its first line.
fn divided(text: &str) -> Option<(&str, &str)> {
    text.char_indices().find_map(|(at, c)| {
        let rest = &text[at + c.len_utf8()..];
        let divides = c == '\n' || (matches!(c, ':' | '\u{ff1a}') && rest.starts_with(char::is_whitespace));
        divides.then(|| (&text[..at], rest))
    })
}

/// Passages that are not the same to the letter.
pub(super) fn passages(a: &Reading, b: &Reading) -> Option<Veto> {
    match (&a.passage, &b.passage) {
        (Some(x), Some(y)) if x != y => Some(Veto::new(Rule::Literal, x.as_str(), y.as_str())),
        _ => None,
    }
}
