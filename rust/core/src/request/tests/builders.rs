//! Requests made in different ways: what is the same has one key, what is not has another.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;

/// The APIs that are conversations.
const CONVERSATIONS: [Api; 3] = [Api::OpenAiChat, Api::OpenAiResponses, Api::AnthropicMessages];

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

fn said(role: &str, content: Value) -> Value {
    map([("role", text(role)), ("content", content)])
}

fn keywords(json: &str) -> Value {
    json::parse(json.as_bytes()).unwrap()
}

fn of_keywords(api: Api, keywords: &Value) -> Identity {
    identity(&Normal::from_keywords(api, keywords.clone()).unwrap())
}

/// A value as JSON, as another library would write it.
fn json_of(value: &Value) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:e}"),
        Value::Text(text) => quoted(text),
        Value::List(items) => format!("[{}]", items.iter().map(json_of).collect::<Vec<_>>().join(" , ")),
        Value::Map(entries) => {
            let entry = |(name, value): &(String, Value)| format!("{}: {}", quoted(name), json_of(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(",\n"))
        }
        Value::BigInteger(_) | Value::Bytes(_) => unreachable!("not generated"),
    }
}

/// The same data: names in another order at every level, texts decomposed, whole numbers as floats.
fn respelt(value: &Value) -> Value {
    match value {
        Value::Integer(number) => Value::Float(*number as f64),
        Value::Text(text) => Value::Text(text.nfd().collect()),
        Value::List(items) => Value::List(items.iter().map(respelt).collect()),
        Value::Map(entries) => {
            Value::Map(entries.iter().rev().map(|(name, value)| (name.clone(), respelt(value))).collect())
        }
        other => other.clone(),
    }
}

/// A conversation, apart from any API.
#[derive(Debug, Clone)]
struct Talk {
    model: String,
    system: String,
    turns: Vec<(bool, String)>,
    query: String,
    params: Vec<(String, Value)>,
    stream: bool,
}

impl Talk {
    fn history(&self) -> Value {
        let role = |user: bool| if user { "user" } else { "assistant" };
        Value::List(self.turns.iter().map(|(user, words)| said(role(*user), text(words))).collect())
    }

    /// The talk as the arguments of an API; `parts`: with texts as lists of one part.
    fn keywords(&self, api: Api, parts: bool) -> Value {
        let content = |words: &str| {
            let kind = if api == Api::OpenAiResponses { "input_text" } else { "text" };
            if parts { list([map([("type", text(kind)), ("text", text(words))])]) } else { text(words) }
        };
        let Value::List(mut turns) = self.history() else { unreachable!() };
        for (turn, (_, words)) in turns.iter_mut().zip(&self.turns) {
            let Value::Map(entries) = turn else { unreachable!() };
            value::set(entries, "content", content(words));
        }
        turns.push(said("user", content(&self.query)));
        let mut all = self.params.clone();
        match api {
            Api::OpenAiChat if !self.system.is_empty() => turns.insert(0, said("system", content(&self.system))),
            Api::OpenAiResponses if !self.system.is_empty() => all.push(("instructions".into(), text(&self.system))),
            Api::AnthropicMessages if !self.system.is_empty() => all.push(("system".into(), content(&self.system))),
            _ => {}
        }
        let place = if api == Api::OpenAiResponses { "input" } else { "messages" };
        all.extend([(place.to_owned(), Value::List(turns)), ("model".into(), text(&self.model))]);
        if self.stream {
            all.push(("stream".into(), Value::Bool(true)));
        }
        Value::Map(all)
    }

    /// If the turns before the query end with a user who says the same, they must be followed by the query: without
    /// it they are read as turns that end with it.
    fn repeats_itself(&self) -> bool {
        let nfc = |text: &str| text.nfc().collect::<String>();
        self.turns.last().is_some_and(|(user, words)| *user && nfc(words) == nfc(&self.query))
    }

    fn of_fields(&self, api: Api, with_query: bool) -> Identity {
        let Self { model, system, query, params, stream, .. } = self;
        let fields = Fields { api, query, model, system, version: "1", router: "", stream: *stream };
        let Value::List(mut turns) = self.history() else { unreachable!() };
        if with_query || self.repeats_itself() {
            turns.push(said("user", text(query)));
        }
        let (messages, params) = (Value::List(turns), Value::Map(params.clone()));
        secret().identify_fields(Scope::Named("tenant"), fields, messages, params, Value::Null, false).unwrap()
    }
}

fn talk() -> impl Strategy<Value = Talk> {
    let words = "[a-z\u{e9}\u{f6} ?]{1,8}";
    let params = prop::collection::btree_map("p_[a-c]{1,2}", plain_json(), 0..4);
    let turns = prop::collection::vec((any::<bool>(), words), 0..4);
    // One in eight asks again what was said last.
    let again = prop::bool::weighted(0.125);
    ("[a-z]{1,3}", "[a-z\u{e9}]{0,4}", turns, words, again, params, any::<bool>()).prop_map(
        |(model, system, turns, words, again, params, stream)| {
            let last = turns.last().filter(|_| again).map(|(_, last)| last.clone());
            let (query, params) = (last.unwrap_or(words), params.into_iter().collect());
            Talk { model, system, turns, query, params, stream }
        },
    )
}

fn plain_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (-9..9i128).prop_map(Value::Integer),
        (-9..9i32).prop_map(|number| Value::Float(f64::from(number) / 8.0)),
        "[a-c\u{e9}]{0,3}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            prop::collection::btree_map("[a-c]{1,2}", inner, 0..3)
                .prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

/// How many leaves a value has; an empty list or map is one.
fn leaves(value: &Value) -> usize {
    match value {
        Value::List(items) if !items.is_empty() => items.iter().map(leaves).sum(),
        Value::Map(entries) if !entries.is_empty() => entries.iter().map(|(_, value)| leaves(value)).sum(),
        _ => 1,
    }
}

/// Changes leaf `at`.
fn change(value: &mut Value, at: &mut usize) {
    match value {
        Value::List(items) if !items.is_empty() => items.iter_mut().for_each(|item| change(item, at)),
        Value::Map(entries) if !entries.is_empty() => entries.iter_mut().for_each(|(_, value)| change(value, at)),
        leaf => {
            if *at == 0 {
                *leaf = match leaf {
                    Value::Bool(flag) => Value::Bool(!*flag),
                    Value::Integer(number) => Value::Integer(*number + 1),
                    Value::Float(number) => Value::Float(*number + 1.0),
                    Value::Text(text) => Value::Text(format!("{text}x")),
                    _ => text("x"),
                };
            }
            *at = at.wrapping_sub(1);
        }
    }
}

proptest! {
    #[test]
    fn all_builders_agree(talk in talk(), parts in any::<bool>(), with_query in any::<bool>()) {
        for api in CONVERSATIONS {
            let keywords = talk.keywords(api, parts);
            let made = Normal::from_keywords(api, keywords.clone()).unwrap();
            prop_assert_eq!(made.query.as_deref(), Some(talk.query.as_str()));
            prop_assert_eq!((&made.model, &made.system, made.stream), (&talk.model, &talk.system, talk.stream));
            prop_assert_eq!(&made.turn, &Value::Null);
            prop_assert_eq!(identity(&made), talk.of_fields(api, with_query));
            prop_assert_eq!(identity(&made), identity(&Normal::from_wire(api, json_of(&keywords).as_bytes()).unwrap()));
            let respelt = respelt(&keywords);
            prop_assert_eq!(identity(&made), of_keywords(api, &respelt));
            prop_assert_eq!(identity(&made), identity(&Normal::from_wire(api, json_of(&respelt).as_bytes()).unwrap()));
        }
    }

    #[test]
    fn another_form_of_answer_is_another_request(talk in talk()) {
        let apis = CONVERSATIONS.iter().chain(&[Api::Plain]);
        let mut keys: Vec<_> = apis.map(|&api| talk.of_fields(api, false).key).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), 4);
    }

    #[test]
    fn any_change_is_another_key(talk in talk(), parts in any::<bool>(), at in any::<prop::sample::Index>()) {
        for api in CONVERSATIONS {
            let keywords = talk.keywords(api, parts);
            let mut changed = keywords.clone();
            change(&mut changed, &mut at.index(leaves(&keywords)));
            prop_assert_ne!(of_keywords(api, &keywords).key, of_keywords(api, &changed).key, "{:?}", changed);
        }
    }

    #[test]
    fn an_unknown_parameter_counts(talk in talk(), name in "q_[a-z]{1,4}", value in plain_json()) {
        for api in CONVERSATIONS {
            let Value::Map(mut more) = talk.keywords(api, false) else { unreachable!() };
            let before = of_keywords(api, &Value::Map(more.clone()));
            more.push((name.clone(), value.clone()));
            prop_assert_ne!(before.fingerprint, of_keywords(api, &Value::Map(more)).fingerprint);
        }
    }

    #[test]
    fn volatile_fields_do_not_count(talk in talk(), value in plain_json()) {
        for api in CONVERSATIONS {
            let Value::Map(mut more) = talk.keywords(api, false) else { unreachable!() };
            let before = of_keywords(api, &Value::Map(more.clone()));
            let volatile = VOLATILE.iter().filter(|(apis, ..)| apis.contains(&api));
            more.extend(volatile.map(|(_, name, _)| ((*name).to_owned(), value.clone())));
            let nullable = NULLABLE.iter().filter(|(apis, _)| apis.contains(&api)).flat_map(|(_, names)| names.iter());
            for name in nullable {
                if !more.iter().any(|(other, _)| other == name) {
                    more.push(((*name).to_owned(), Value::Null));
                }
            }
            prop_assert_eq!(before, of_keywords(api, &Value::Map(more)));
        }
    }

    #[test]
    fn words_do_not_move_between_turns(a in "[a-b]{1,3}", b in "[a-b]{1,3}", c in "[a-b]{1,3}") {
        let talk = |turns: &[&str], query: &str| Talk {
            model: "m".into(), system: String::new(), params: vec![], stream: false, query: query.into(),
            turns: turns.iter().map(|words| (true, (*words).to_owned())).collect(),
        };
        for api in CONVERSATIONS {
            let keys = [
                talk(&[&a, &b], &c), talk(&[&format!("{a}{b}")], &c), talk(&[&a], &format!("{b}{c}")),
                talk(&[], &format!("{a}{b}{c}")), talk(&["", &a, &b], &c),
            ].map(|talk| talk.of_fields(api, false).key);
            let mut unique = keys.to_vec();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), keys.len());
        }
    }

    #[test]
    fn random_ids_do_not_count_but_links_do(a in "[a-z0-9]{4,9}", b in "[A-Z]{4,9}", idle in "[a-z0-9]{1,9}") {
        for (api, body) in CALLS {
            let with = |[first, second]: [&str; 2], results: [&str; 2], idle: &str| {
                let body = body.replace("CALL1", first).replace("CALL2", second).replace("IDLE", idle);
                of_keywords(api, &keywords(&body.replace("RESULT1", results[0]).replace("RESULT2", results[1])))
            };
            let plain = with(["c1", "c2"], ["c1", "c2"], "x");
            prop_assert_eq!(plain, with([&a, &b], [&a, &b], &idle));
            // The results change places: another conversation.
            prop_assert_ne!(plain.fingerprint, with([&a, &b], [&b, &a], &idle).fingerprint, "{:?}", api);
        }
    }
}

/// Two calls and their results, with names for the ids.
const CALLS: [(Api, &str); 3] = [
    (
        Api::OpenAiChat,
        r#"{"model": "m", "messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "CALL1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "CALL2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "RESULT2", "content": "two"},
            {"role": "tool", "tool_call_id": "RESULT1", "content": "one"},
            {"role": "user", "content": "and?"}]}"#,
    ),
    (
        Api::OpenAiResponses,
        r#"{"model": "m", "input": [{"role": "user", "content": "hi"},
            {"type": "function_call", "id": "IDLE", "call_id": "CALL1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "id": "IDLE2", "call_id": "CALL2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "RESULT2", "output": "two"},
            {"type": "function_call_output", "call_id": "RESULT1", "output": "one"},
            {"role": "user", "content": "and?"}]}"#,
    ),
    (
        Api::AnthropicMessages,
        r#"{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "CALL1", "name": "f", "input": {"id": "one"}},
                {"type": "tool_use", "id": "CALL2", "name": "g", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "RESULT2", "content": "two"},
                {"type": "tool_result", "tool_use_id": "RESULT1", "content": [{"type": "text", "text": "one"}]},
                {"type": "text", "text": "and?"}]}]}"#,
    ),
];
