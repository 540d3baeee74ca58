//! Requests that are answered from exact repeats only, and why.
//!
//! Comparing by meaning sees the words of one question. Where an answer depends on something else (the moment, what was
//! said before, what a tool does, who asks) or where somebody asks for variety, a near question is no reason to take
//! its answer. Each reason has a name, which does not change, and a sentence. Rules err towards refusing: a refusal
//! costs a hit.

mod follow_up;
mod fresh;
mod personal;
mod words;

use crate::request::Value;
use words::Words;

/// The limit on the temperature by default: what both providers sample at if nothing is said. Who asks for more wants
/// answers that differ.
pub const MAX_TEMPERATURE: f64 = 1.0;

/// What is known of a request, in normal form.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The text of the last user turn; None if there is none.
    pub query: Option<&'a str>,
    /// The turns before it, or all of them without a query.
    pub history: &'a Value,
    /// What the last user turn holds beside the text.
    pub turn: &'a Value,
    /// Every other parameter.
    pub params: &'a Value,
}

/// What the policy allows.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How long an answer lives, in seconds; None: for ever.
    pub ttl_seconds: Option<f64>,
    /// Whether every scope may see the answer.
    pub public: bool,
    /// The highest temperature that is no wish for variety. An absent temperature is none.
    pub max_temperature: f64,
    /// Names of tools, or types of built-in ones, that change nothing and answer the same for the whole time to live.
    pub read_only_tools: &'a [String],
}

/// Why a request is not compared by meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `no_user_turn`, `not_text`, `tools`, `temperature`, `fresh`, `follow_up` or `personal_data`.
    pub name: &'static str,
    /// The reason in words.
    pub sentence: String,
}

/// Why the request is to be answered from exact repeats only; None if it may be compared by meaning.
///
/// - `no_user_turn`: the last turn is a tool's result or the beginning of an answer.
/// - `not_text`: the last turn holds an image, a file or sound.
/// - `tools`: a tool is offered that is not named as read-only, and the model may use it (`tool_choice` is not "none").
/// - `temperature`: it is above the limit.
/// - `fresh`: the question asks for what changes within the time to live.
/// - `follow_up`: it leans on earlier turns: it is short, goes on from them, or points to something in them.
/// - `personal_data`: the answer would be public, and the question holds somebody's address, number or account.
///
/// Words are known in English, the commonest in German, Spanish, French and Russian. **Cost:** linear in the question.
pub fn refusal(asked: Asked<'_>, terms: Terms<'_>) -> Option<Refusal> {
    let Some(query) = asked.query else { return Some(without_query(asked.history)) };
    if has_other_parts(asked.turn) {
        return Some(not_text());
    }
    if let Some(refusal) =
        tools(asked.params, terms.read_only_tools).or_else(|| temperature(asked.params, terms.max_temperature))
    {
        return Some(refusal);
    }
    let words = Words::new(query);
    let fresh = fresh::find(&words).filter(|found| terms.ttl_seconds.is_none_or(|ttl| ttl > found.horizon_seconds));
    if let Some(found) = fresh {
        return Some(found.refusal(terms.ttl_seconds));
    }
    if asked.history.items().iter().any(is_spoken)
        && let Some(why) = follow_up::find(&words)
    {
        return Some(Refusal {
            name: "follow_up",
            sentence: format!("the question leans on what was said before: {why}"),
        });
    }
    let personal = terms.public.then(|| personal::find(query, &words)).flatten();
    personal.map(|what| {
        let sentence = format!("the answer would be public, and the question holds {what}");
        Refusal { name: "personal_data", sentence }
    })
}

/// For how many seconds an answer to `query` holds, by its words that ask for something fresh; None if it has none.
///
/// An answer that lives longer is what [`refusal`] calls `fresh`. **Cost:** linear in the question.
pub fn horizon_seconds(query: &str) -> Option<f64> {
    fresh::find(&Words::new(query)).map(|found| found.horizon_seconds)
}

fn without_query(history: &Value) -> Refusal {
    match history.items().last() {
        Some(turn) if turn.says("role", "user") => not_text(),
        _ => Refusal { name: "no_user_turn", sentence: "the last turn is not a user's".into() },
    }
}

fn not_text() -> Refusal {
    Refusal { name: "not_text", sentence: "the last turn holds something beside text, which is not compared".into() }
}

/// Whether the turn has a part that is no text. What stands beside the parts, such as the speaker's name, is none.
fn has_other_parts(turn: &Value) -> bool {
    let content = turn.items().iter().find_map(|part| part.get("content"));
    let kinds = content.into_iter().flat_map(Value::items).map(|part| part.get("type").and_then(Value::as_text));
    kinds.into_iter().any(|kind| !matches!(kind, Some("text" | "input_text" | "output_text")))
}

/// Whether a turn is part of the conversation, as a system prompt is not.
fn is_spoken(turn: &Value) -> bool {
    !(turn.says("role", "system") || turn.says("role", "developer"))
}

fn tools(params: &Value, read_only: &[String]) -> Option<Refusal> {
    let choice = params.get("tool_choice").or_else(|| params.get("function_call"));
    let forbidden = choice.is_some_and(|choice| choice.as_text() == Some("none") || choice.says("type", "none"));
    if forbidden {
        return None;
    }
    let lists = ["tools", "functions", "mcp_servers"].into_iter().filter_map(|name| params.get(name));
    let mut names = lists.flat_map(Value::items).map(tool_name);
    let built_in = params.get("web_search_options").map(|_| "web_search");
    let name = names.find(|name| !is_listed(name, read_only)).or(built_in.filter(|name| !is_listed(name, read_only)))?;
    let sentence = format!("the model may use the tool {name:?}, which is not known to change nothing");
    Some(Refusal { name: "tools", sentence })
}

/// The name of a tool, in the form of any of the APIs; for built-in ones their type.
fn tool_name(tool: &Value) -> &str {
    let places = [tool.get("function").and_then(|function| function.get("name")), tool.get("name"), tool.get("type")];
    places.into_iter().flatten().find_map(Value::as_text).unwrap_or("")
}

fn is_listed(name: &str, names: &[String]) -> bool {
    names.iter().any(|other| other == name)
}

fn temperature(params: &Value, limit: f64) -> Option<Refusal> {
    let temperature = match params.get("temperature")? {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        _ => return None,
    };
    (temperature > limit).then(|| {
        let sentence = format!("temperature {temperature} asks for answers that differ (the limit is {limit})");
        Refusal { name: "temperature", sentence }
    })
}

#[cfg(test)]
mod tests;
