//! Turns of a conversation in normal form: one way to write what can be written in several, and no random ids.

use std::collections::BTreeMap;

use super::api::{Api, ITEMS_WITH_IDLE_ID, ITEMS_WITH_LINKS, LINKS, NULLABLE_IN_TURNS};
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
    let mut ids = Ids(BTreeMap::new());
    for turn in turns {
        let Value::Map(entries) = turn else { continue };
        match api {
            Api::OpenAiResponses => item(entries, &mut ids),
            _ => message(api, entries, &mut ids),
        }
        if let Some((_, content)) = entries.iter_mut().find(|(name, _)| name == "content") {
            parts(content, &mut ids);
        }
    }
}

/// A turn of chat completions or of Anthropic's messages.
fn message(api: Api, entries: &mut Entries, ids: &mut Ids) {
    if api == Api::OpenAiChat {
        entries.retain(|(name, value)| *value != Value::Null || !NULLABLE_IN_TURNS.contains(&name.as_str()));
    }
    ids.renumber(entries, &["tool_call_id"]);
    if let Some((_, Value::List(calls))) = entries.iter_mut().find(|(name, _)| name == "tool_calls") {
        for call in calls {
            if let Value::Map(call) = call {
                ids.renumber(call, &["id"]);
            }
        }
    }
}

/// An item of the responses API.
fn item(entries: &mut Entries, ids: &mut Ids) {
    let has_role = entries.iter().any(|(name, _)| name == "role");
    let kind = match entries.iter().find(|(name, _)| name == "type") {
        Some((_, Value::Text(kind))) => kind.clone(),
        None if has_role => "message".into(),
        _ => return,
    };
    if ITEMS_WITH_IDLE_ID.contains(&kind.as_str()) {
        take(entries, "id");
        ids.renumber(entries, LINKS);
    } else if ITEMS_WITH_LINKS.contains(&kind.as_str()) {
        ids.renumber(entries, LINKS);
    }
    if kind == "message" && has_role {
        take(entries, "type");
    }
}

/// The parts of a turn's content: marks for the provider's prompt cache go, and one part of nothing but text is the
/// text.
fn parts(content: &mut Value, ids: &mut Ids) {
    let Value::List(parts) = content else { return };
    for part in parts.iter_mut() {
        let Value::Map(entries) = part else { continue };
        take(entries, "cache_control");
        let kind = entries.iter().find(|(name, _)| name == "type").and_then(|(_, kind)| kind.as_text()).unwrap_or("");
        if kind.ends_with("tool_use") {
            ids.renumber(entries, &["id"]);
        } else if kind.ends_with("tool_result") {
            ids.renumber(entries, &["tool_use_id"]);
            if let Some((_, Value::List(_))) = entries.iter().find(|(name, _)| name == "content") {
                let mut inner = take(entries, "content").unwrap_or(Value::Null);
                results(&mut inner);
                entries.push(("content".into(), inner));
            }
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

/// Random ids, by order of appearance.
struct Ids(BTreeMap<String, usize>);

impl Ids {
    /// Replaces the texts of `names` by numbers, which no text equals.
    fn renumber(&mut self, entries: &mut Entries, names: &[&str]) {
        for (name, value) in entries {
            if let Value::Text(id) = value
                && names.contains(&name.as_str())
            {
                let next = self.0.len();
                *value = Value::Integer(*self.0.entry(std::mem::take(id)).or_insert(next) as i128);
            }
        }
    }
}
