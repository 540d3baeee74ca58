//! The passage that a task is about: "Proofread: we was happy", "Context: … Question: who wrote it?".
//!
//! Whoever has a text corrected, translated or asked about gets an answer to this text and to no other, however alike: each
//! letter counts there.

use super::reading::Reading;
use super::scan::fold;
use super::signs::Signs;
use super::veto::{Rule, Veto};

/// How words begin that name what is done with a text, in lower case and without accents.
const TASKS: &str = "
translat proofread proof-read correct rewrit reword rephras paraphras summari shorten simplif improv polish edit fix punctuat
capitali spell grammar classif sentiment extract conjugat transcrib transliterat convert format revers reply respond turn tone
tense plural regex
ubersetz korrigier verbesser zusammenfass umschreib umformulier
traduc corrig resum reescrib reformul traduis traduir
перевед перевест исправ перефраз перескаж
";

/// Words that point at what follows.
const POINTING: &str =
    "this these following below sentence paragraph passage phrase snippet folgenden folgende siguiente suivant";

/// What a passage is called in a prompt that has several parts.
const LABELS: &str = "
context document documents passage passages article excerpt excerpts background source sources transcript content
kontext dokument contexte contexto documento контекст документ
";

/// What the part is called that asks about the passage.
const QUESTIONS: &str =
    "question questions query q task instruction instructions answer ask frage aufgabe pregunta вопрос задание";

/// With more words in front of the colon the task is not looked for: that is a text of its own.
const MAX_HEAD: usize = 16;

/// The passage that a text is about, as it is written: what stands behind the name of a part, such as "Context:", up to the
/// part that asks; else what stands behind the first colon, line or question, if a task stands before.
pub(super) fn passage(text: &str, signs: Signs) -> Option<String> {
    let text = text.trim();
    // Most texts have no part, and end with their only question.
    let asks_on = || text.find('?').is_some_and(|at| !text[at..].trim_start_matches('?').is_empty());
    if !signs.has_divider() && !asks_on() {
        return None;
    }
    let found = labelled(text).or_else(|| {
        let (head, passage) = divided(text)?;
        (head.split_whitespace().nth(MAX_HEAD).is_none() && sets_task(head)).then_some(passage)
    })?;
    // How much white space there is counts nowhere in a comparison.
    let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
    (!found.is_empty()).then_some(found)
}

/// What stands behind the first label of a passage, up to the next label of a question.
fn labelled(text: &str) -> Option<&str> {
    let mut labels = colons(text).map(|at| {
        let word = text[..at].rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        (at - word.len(), at, fold(word).to_lowercase())
    });
    let is = |list: &str, label: &str| list.split_whitespace().any(|word| fold(word) == *label);
    let (_, colon, _) = labels.find(|(_, _, label)| is(LABELS, label))?;
    let end = labels.find(|(_, _, label)| is(QUESTIONS, label)).map_or(text.len(), |(begin, ..)| begin);
    text[colon..end].strip_prefix([':', '\u{ff1a}'])
}

/// A text at its first colon, else at its first question if that is about what follows, else at the end of its first line.
fn divided(text: &str) -> Option<(&str, &str)> {
    // Of all that points, what nearly always does.
    let points = |head: &str| head.contains("this ") || head.contains("following ");
    let question = || before_space(text, ['?']).next().filter(|&at| points(&text[..at]) && names_task(&text[..at]));
    let at = colons(text).next().or_else(question).or_else(|| text.find('\n'))?;
    let behind = text[at..].chars().next().map_or(0, char::len_utf8);
    Some((&text[..at], &text[at + behind..]))
}

/// Where colons stand that white space follows: not in a time or an address.
fn colons(text: &str) -> impl Iterator<Item = usize> {
    before_space(text, [':', '\u{ff1a}'])
}

fn before_space<const N: usize>(text: &str, sign: [char; N]) -> impl Iterator<Item = usize> {
    let ends = |rest: &str| rest.chars().next().is_some_and(char::is_whitespace);
    text.match_indices(sign).filter(move |(at, sign)| ends(&text[at + sign.len()..])).map(|(at, _)| at)
}

fn sets_task(head: &str) -> bool {
    names_task(head) || points(head)
}

fn names_task(head: &str) -> bool {
    let names = |word: &str| TASKS.split_whitespace().any(|task| word.starts_with(task));
    words(head).iter().any(|word| names(word))
}

fn points(head: &str) -> bool {
    words(head).iter().any(|word| POINTING.split_whitespace().any(|pointing| pointing == word))
}

fn words(head: &str) -> Vec<String> {
    let head = fold(head).to_lowercase();
    head.split(|c: char| !c.is_alphanumeric() && c != '-').map(str::to_owned).collect()
}

/// Passages that are not the same to the letter.
pub(super) fn passages(a: &Reading, b: &Reading) -> Option<Veto> {
    match (&a.passage, &b.passage) {
        (Some(x), Some(y)) if x != y => Some(Veto::new(Rule::Literal, x.as_str(), y.as_str())),
        _ => None,
    }
}
