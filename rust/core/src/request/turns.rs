//! Turns of a conversation in normal form: one way to write what can be written in several, and no random ids.

use super::api::{Api, NULLABLE_IN_TURNS};
use super::links;
use super::value::{Entries, Value, take};

/// Why a request has no part that may match in other words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactOnly {
    /// The last turn is not a user's: the result of a tool, or the beginning of the answer.
    NoUserTurn,
    /// The last turn holds no text.
    NotText,
    /// The answer is an embedding, which belongs to its text alone.
    Embedding,
}

impl ExactOnly {
    /// The name, which does not change.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoUserTurn => "no_user_turn",
            Self::NotText => "not_text",
            Self::Embedding => "embedding",
        }
    }

    /// The reason as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoUserTurn => "the last turn is not a user's",
            Self::NotText => "the last turn holds no text",
            Self::Embedding => "an embedding belongs to its text alone",
        }
    }
}

/// The last turn, taken apart.
pub(super) struct LastTurn {
    /// Its text, which may match in other words.
    pub(super) query: Option<String>,
    /// What it holds beside: Null, or the place of the text and the turn without it.
    pub(super) rest: Value,
    /// Why it has no text.
    pub(super) exact_only: Option<ExactOnly>,
}

/// Brings `turns` into normal form.
pub(super) fn normalise(api: Api, turns: &mut [Value]) {
    links::renumber(api, turns);
    for turn in turns {
        let Value::Map(entries) = turn else { continue };
        match api {
            Api::OpenAiResponses => item(entries),
            Api::OpenAiChat => {
                entries.retain(|(name, value)| *value != Value::Null || !NULLABLE_IN_TURNS.contains(&name.as_str()));
            }
            _ => {}
        }
        if let Some((_, content)) = entries.iter_mut().find(|(name, _)| name == "content") {
            parts(content);
        }
    }
}

/// An item of the responses API: a message need not say that it is one.
fn item(entries: &mut Entries) {
    let says = |name: &str| entries.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    if says("role").is_some() && says("type").and_then(Value::as_text) == Some("message") {
        take(entries, "type");
    }
}

/// The parts of a turn's content: marks for the provider's prompt cache go, and one part of nothing but text is the
/// text.
fn parts(content: &mut Value) {
    let Value::List(parts) = content else { return };
    for part in parts.iter_mut() {
        let Value::Map(entries) = part else { continue };
        take(entries, "cache_control");
        let kind = entries.iter().find(|(name, _)| name == "type").and_then(|(_, kind)| kind.as_text()).unwrap_or("");
        if kind.ends_with("tool_result")
            && let Some((_, inner @ Value::List(_))) = entries.iter_mut().find(|(name, _)| name == "content")
        {
            results(inner);
        }
    }
    collapse(content);
}

/// The parts of a tool's result. They hold no calls, so nothing here goes deeper.
fn results(content: &mut Value) {
    if let Value::List(parts) = content {
        for part in parts.iter_mut() {
            if let Value::Map(entries) = part {
                take(entries, "cache_control");
            }
        }
    }
    collapse(content);
}

/// One part of nothing but text is the text.
pub(super) fn collapse(content: &mut Value) {
    let text = match content.items() {
        [part @ Value::Map(entries)] if entries.len() == 2 && is_text(part) => part.get("text").cloned(),
        _ => None,
    };
    if let Some(text) = text {
        *content = text;
    }
}

/// Whether a part holds text that somebody wrote, as each of the APIs names it.
fn is_text(part: &Value) -> bool {
    let kind = part.get("type").and_then(Value::as_text);
    matches!(kind, Some("text" | "input_text" | "output_text")) && part.get("text").and_then(Value::as_text).is_some()
}

/// Takes the last turn off `turns`, if it is a user's and has text; the text of several parts is the last one's.
pub(super) fn take_last(turns: &mut Vec<Value>) -> LastTurn {
    let without = |why| LastTurn { query: None, rest: Value::Null, exact_only: Some(why) };
    let Some(turn) = turns.last().filter(|turn| turn.says("role", "user")) else {
        return without(ExactOnly::NoUserTurn);
    };
    let at = match turn.get("content") {
        Some(Value::Text(_)) => None,
        Some(Value::List(parts)) => match parts.iter().rposition(is_text) {
            Some(at) => Some(at),
            None if parts.iter().any(is_result) => return without(ExactOnly::NoUserTurn),
            None => return without(ExactOnly::NotText),
        },
        _ => return without(ExactOnly::NotText),
    };
    let Some(Value::Map(mut turn)) = turns.pop() else { return without(ExactOnly::NoUserTurn) };
    let (query, whole) = match at {
        None => (take(&mut turn, "content"), turn.len() == 1),
        Some(at) => (take_text(&mut turn, at), false),
    };
    let Some(Value::Text(query)) = query else { return without(ExactOnly::NotText) };
    let place = Value::Integer(at.map_or(-1, |at| at as i128));
    let rest = if whole { Value::Null } else { Value::List(vec![place, Value::Map(turn)]) };
    LastTurn { query: Some(query), rest, exact_only: None }
}

fn is_result(part: &Value) -> bool {
    part.get("type").and_then(Value::as_text).is_some_and(|kind| kind.ends_with("tool_result"))
}

/// Takes the text out of part `at` of a turn's content.
fn take_text(turn: &mut Entries, at: usize) -> Option<Value> {
    let (_, Value::List(parts)) = turn.iter_mut().find(|(name, _)| name == "content")? else { return None };
    let Value::Map(part) = parts.get_mut(at)? else { return None };
    take(part, "text")
}
