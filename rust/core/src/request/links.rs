//! Ids that link a call with its result, in normal form: random names become numbers.

use std::collections::BTreeMap;

use super::api::{Api, LINKS, Link};
use super::value::{Entries, Value, take};

/// Numbers the ids that link calls with results in order of appearance, and takes ids out that refer to nothing.
///
/// An id counts as it is unless the call that it names is among `turns`: another may be one that the provider knows, so
/// that the id says what is answered or approved. So does one that is named anywhere else, such as by an
/// `item_reference`.
pub(super) fn renumber(api: Api, turns: &mut [Value]) {
    let mut ids = Ids::default();
    each_link(api, turns, &mut |entries, name, link| ids.note(entries, name, link));
    if !ids.0.is_empty() {
        for turn in turns.iter() {
            ids.mentions(turn);
        }
    }
    let mut next = 0;
    each_link(api, turns, &mut |entries, name, link| ids.replace(entries, name, link, &mut next));
}

/// Calls `on` with the place, the name and the purpose of each id that is known to link, or to do nothing. Their order
/// is that of the turns and of the tables, whatever the order of a turn's entries.
fn each_link(api: Api, turns: &mut [Value], on: &mut impl FnMut(&mut Entries, &str, Link)) {
    for turn in turns {
        let Value::Map(entries) = turn else { continue };
        if api == Api::OpenAiResponses {
            let kind = kind_of_item(entries);
            for (_, name, link) in LINKS.iter().filter(|(kinds, ..)| kinds.contains(&kind.as_str())) {
                on(entries, name, *link);
            }
        } else {
            on(entries, "tool_call_id", Link::Refers);
            each_map(entries, "tool_calls", |call| on(call, "id", Link::Defines));
        }
        each_map(entries, "content", |part| {
            let kind = text(part, "type").unwrap_or_default();
            if kind.ends_with("tool_use") {
                on(part, "id", Link::Defines);
            } else if kind.ends_with("tool_result") {
                on(part, "tool_use_id", Link::Refers);
            }
        });
    }
}

/// The type of an item of the responses API; a message need not name it.
fn kind_of_item(entries: &Entries) -> String {
    match entries.iter().find(|(name, _)| name == "type") {
        Some((_, kind)) => kind.as_text().unwrap_or_default().to_owned(),
        None if entries.iter().any(|(name, _)| name == "role") => "message".to_owned(),
        None => String::new(),
    }
}

/// Calls `on` with the maps in the list `name`.
fn each_map(entries: &mut Entries, name: &str, mut on: impl FnMut(&mut Entries)) {
    let Some((_, Value::List(items))) = entries.iter_mut().find(|(other, _)| other == name) else { return };
    for item in items {
        if let Value::Map(entries) = item {
            on(entries);
        }
    }
}

fn text<'a>(entries: &'a Entries, name: &str) -> Option<&'a str> {
    entries.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.as_text())
}

/// What is known of an id.
#[derive(Debug, Default)]
struct Id {
    /// Whether a call of that name is there.
    is_defined: bool,
    /// In how many of the known places it stands.
    known: usize,
    /// In how many entries that are named as ids are it stands.
    all: usize,
    number: Option<i128>,
}

impl Id {
    fn is_named_elsewhere(&self) -> bool {
        self.all > self.known
    }
}

#[derive(Debug, Default)]
struct Ids(BTreeMap<String, Id>);

impl Ids {
    fn note(&mut self, entries: &Entries, name: &str, link: Link) {
        if let Some(id) = text(entries, name) {
            let id = self.0.entry(id.to_owned()).or_default();
            id.known += 1;
            id.is_defined |= link == Link::Defines;
        }
    }

    /// Counts the ids in all entries of `value` that are named as ids are, at any depth.
    fn mentions(&mut self, value: &Value) {
        match value {
            Value::List(items) => {
                for item in items {
                    self.mentions(item);
                }
            }
            Value::Map(entries) => {
                for (name, value) in entries {
                    match value {
                        Value::Text(text) if name == "id" || name.ends_with("_id") => {
                            if let Some(id) = self.0.get_mut(text) {
                                id.all += 1;
                            }
                        }
                        _ => self.mentions(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Replaces an id by its number, which no text equals, or takes it out, if either changes nothing.
    fn replace(&mut self, entries: &mut Entries, name: &str, link: Link, next: &mut i128) {
        let id = text(entries, name).and_then(|id| self.0.get_mut(id));
        if id.as_ref().is_some_and(|id| id.is_named_elsewhere()) {
            return;
        }
        if link == Link::Idle {
            take(entries, name);
        } else if let Some(id) = id.filter(|id| id.is_defined) {
            let number = *id.number.get_or_insert_with(|| {
                *next += 1;
                *next - 1
            });
            super::value::set(entries, name, Value::Integer(number));
        }
    }
}
