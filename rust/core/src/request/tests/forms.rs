//! What is the same request in each API, by example, and what is not.

use super::*;

fn normal(api: Api, body: &str) -> Normal {
    Normal::from_wire(api, body.as_bytes()).unwrap()
}

/// Asserts that bodies are the same request.
fn same_request<const N: usize>(api: Api, bodies: [&str; N]) {
    for body in bodies {
        assert_eq!(identity(&normal(api, body)), identity(&normal(api, bodies[0])), "{body}");
    }
}

/// Asserts that bodies are different requests.
fn different_requests<const N: usize>(api: Api, bodies: [&str; N]) {
    for (at, body) in bodies.iter().enumerate() {
        for other in &bodies[..at] {
            assert_ne!(identity(&normal(api, body)).key, identity(&normal(api, other)).key, "{body} {other}");
        }
    }
}

#[test]
fn chat_completions_have_one_normal_form() {
    same_request(
        Api::OpenAiChat,
        [
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 1}"#,
            r#"{"temperature": 1.0, "model": "m", "messages": [{"content": [{"type": "text", "text": "hi"}], "role": "user"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi", "name": null}], "temperature": 1e0, "n": null,
                "user": "u", "metadata": {"trace": "7"}, "store": true, "stream": false, "stop": null}"#,
            r#"{"model": "x", "messages": [{"role": "user", "content": "hi"}], "model": "m",
                "extra_body": {"temperature": 1}, "extra_headers": {"X-Request-Id": "7"}, "timeout": 3}"#,
        ],
    );
    different_requests(
        Api::OpenAiChat,
        [
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi", "name": "bob"}]}"#,
            r#"{"model": "m", "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "developer", "content": "S"}, {"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "system", "content": "S", "name": "x"}, {"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "system", "content": "S"}, {"role": "system", "content": "S"}, {"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "S"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": null}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "extra_headers": {"OpenAI-Beta": "x"}}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "hi"}]}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": []}"#,
            r#"{"model": "m"}"#,
        ],
    );
}

#[test]
fn headers_count_but_for_those_in_the_table() {
    let with = |headers: &str| {
        let messages = r#"[{"role": "user", "content": "hi"}]"#;
        format!(r#"{{"model": "m", "messages": {messages}, "extra_headers": {headers}}}"#)
    };
    let volatile = VOLATILE_HEADERS.iter().map(|(name, _)| format!(r#""{}": "x""#, name.to_uppercase()));
    let volatile = with(&format!("{{{}}}", volatile.collect::<Vec<_>>().join(", ")));
    same_request(Api::OpenAiChat, [&with("{}"), &with("null"), &volatile]);
    let provider = [r#"{"x-provider": "a"}"#, r#"{"X-Provider": "b"}"#, r#"{"x-provider": null}"#].map(with);
    different_requests(Api::OpenAiChat, [&with("{}"), &provider[0], &provider[1], &provider[2]]);
    same_request(Api::OpenAiChat, [&provider[0], &with(r#"{"X-PROVIDER": "a", "Authorization": "k"}"#)]);
    different_requests(Api::OpenAiChat, [&with("{}"), &with(r#"[["x-provider", "a"]]"#)]);
}

#[test]
fn what_changes_the_form_or_the_use_of_an_answer_counts() {
    let chat = |more: &str| format!(r#"{{"messages": [{{"role": "user", "content": "hi"}}], "stream": true{more}}}"#);
    different_requests(
        Api::OpenAiChat,
        [
            &chat(""),
            &chat(r#", "stream_options": {"include_usage": true}"#),
            &chat(r#", "extra_query": {"api-version": "1"}"#),
            &chat(r#", "extra_query": {"api-version": "2"}"#),
        ],
    );
    same_request(
        Api::OpenAiChat,
        [&chat(""), &chat(r#", "stream_options": null, "extra_query": null, "store": true"#)],
    );
    let responses = |more: &str| format!(r#"{{"input": "hi"{more}}}"#);
    let [kept, not_kept] = [r#", "store": true"#, r#", "store": false"#].map(responses);
    different_requests(Api::OpenAiResponses, [&kept, &not_kept]);
    same_request(Api::OpenAiResponses, [&responses(""), &responses(r#", "store": null"#)]);
}

#[test]
fn texts_in_several_parts_do_not_run_into_each_other() {
    let parts = |a: &str, b: &str| {
        let part = |text: &str| format!(r#"{{"type": "text", "text": "{text}"}}"#);
        format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": [{}, {}]}}]}}"#, part(a), part(b))
    };
    different_requests(Api::OpenAiChat, [&parts("a", "bc"), &parts("ab", "c"), &parts("abc", ""), &parts("", "abc")]);
    let made = normal(Api::OpenAiChat, &parts("document", "question"));
    assert_eq!(made.query.as_deref(), Some("question"));
    let other = normal(Api::OpenAiChat, &parts("another document", "question"));
    assert_ne!(identity(&made).fingerprint, identity(&other).fingerprint);
}

#[test]
fn an_image_beside_the_question_stays_in_the_fingerprint() {
    let with = |url: &str, question: &str| {
        normal(
            Api::OpenAiChat,
            &format!(
                r#"{{"model": "m", "messages": [{{"role": "user", "content": [{{"type": "image_url", "image_url": {{"url": "{url}"}}}},
                    {{"type": "text", "text": "{question}"}}]}}]}}"#
            ),
        )
    };
    let made = with("a", "what is it?");
    assert_eq!(made.query.as_deref(), Some("what is it?"));
    assert_eq!(identity(&made).fingerprint, identity(&with("a", "say what it is")).fingerprint);
    assert_ne!(identity(&made).fingerprint, identity(&with("b", "what is it?")).fingerprint);
}

#[test]
fn without_a_user_s_text_only_exact_repeats_count() {
    let why = |api, body: &str| {
        let made = normal(api, body);
        assert_eq!(made.query.is_none(), made.exact_only.is_some());
        made.exact_only.map(ExactOnly::name)
    };
    let chat =
        |turn: &str| why(Api::OpenAiChat, &format!(r#"{{"messages": [{{"role": "user", "content": "q"}}, {turn}]}}"#));
    assert_eq!(chat(r#"{"role": "tool", "tool_call_id": "a", "content": "42"}"#), Some("no_user_turn"));
    assert_eq!(chat(r#"{"role": "assistant", "content": "The answer is"}"#), Some("no_user_turn"));
    assert_eq!(
        chat(r#"{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}"#),
        Some("not_text")
    );
    assert_eq!(chat(r#"{"role": "user", "content": "q"}"#), None);
    let result = r#"{"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "42"}]}]}"#;
    assert_eq!(why(Api::AnthropicMessages, result), Some("no_user_turn"));
    assert_eq!(
        why(Api::OpenAiResponses, r#"{"input": [{"type": "function_call_output", "call_id": "a", "output": "42"}]}"#),
        Some("no_user_turn")
    );
    assert_eq!(why(Api::OpenAiEmbeddings, r#"{"input": "text", "model": "m"}"#), Some("embedding"));
    // An empty question is one.
    assert_eq!(
        normal(Api::OpenAiChat, r#"{"messages": [{"role": "user", "content": ""}]}"#).query.as_deref(),
        Some("")
    );
}

#[test]
fn responses_have_one_normal_form() {
    same_request(
        Api::OpenAiResponses,
        [
            r#"{"model": "m", "input": "hi", "instructions": "S"}"#,
            r#"{"model": "m", "input": [{"role": "user", "content": "hi"}], "instructions": "S", "previous_response_id": null}"#,
            r#"{"model": "m", "input": [{"type": "message", "id": "msg_1", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
                "instructions": "S", "conversation": null, "prompt_cache_key": "k", "safety_identifier": "s"}"#,
        ],
    );
    let items = |item: &str| format!(r#"{{"model": "m", "input": [{item}, {{"role": "user", "content": "hi"}}]}}"#);
    different_requests(
        Api::OpenAiResponses,
        [
            &items(r#"{"type": "item_reference", "id": "a"}"#),
            &items(r#"{"type": "item_reference", "id": "b"}"#),
            &items(r#"{"type": "reasoning", "id": "a", "summary": []}"#),
            &items(r#"{"type": "reasoning", "id": "b", "summary": []}"#),
            &items(r#"{"id": "a"}"#),
            &items(r#"{"id": "b"}"#),
            r#"{"model": "m", "input": "hi", "previous_response_id": "a"}"#,
            r#"{"model": "m", "input": "hi", "previous_response_id": "b"}"#,
            r#"{"model": "m", "input": "hi"}"#,
        ],
    );
    let made = normal(Api::OpenAiResponses, r#"{"model": "m", "input": "hi", "conversation": "c"}"#);
    assert!(made.uncacheable.is_some_and(|why| why.contains("conversation")));
}

/// The items of a request to the responses API.
fn items<const N: usize>(items: [&str; N]) -> String {
    format!(r#"{{"model": "m", "previous_response_id": "r", "input": [{}]}}"#, items.join(", "))
}

#[test]
fn ids_of_calls_that_are_not_in_the_request_count() {
    let output = |kind: &str, name: &str, id: &str, says: &str| {
        format!(r#"{{"type": "{kind}", "{name}": "{id}", "output": "{says}"}}"#)
    };
    let approval = |id: &str| {
        items([&format!(r#"{{"type": "mcp_approval_response", "approval_request_id": "{id}", "approve": true}}"#)])
    };
    different_requests(Api::OpenAiResponses, [&approval("mcpr_read"), &approval("mcpr_delete_all")]);
    let reference = [r#"{"type": "item_reference", "id": "fc_1"}"#, r#"{"type": "item_reference", "id": "fc_2"}"#];
    for (kind, name) in [
        ("function_call_output", "call_id"),
        ("custom_tool_call_output", "call_id"),
        ("computer_call_output", "call_id"),
        ("local_shell_call_output", "call_id"),
        ("local_shell_call_output", "id"),
    ] {
        let [a1, b2] = [output(kind, name, "a", "1"), output(kind, name, "b", "2")];
        let [a2, b1] = [output(kind, name, "a", "2"), output(kind, name, "b", "1")];
        different_requests(Api::OpenAiResponses, [&items([&a1]), &items([&b1])]);
        different_requests(Api::OpenAiResponses, [&items([&a1, &b2]), &items([&b1, &a2])]);
        let after = |one, other| items([reference[0], reference[1], one, other]);
        different_requests(Api::OpenAiResponses, [&after(&a1, &b2), &after(&b1, &a2)]);
    }
    let chat = |id: &str| {
        format!(r#"{{"model": "m", "messages": [{{"role": "tool", "tool_call_id": "{id}", "content": "1"}}]}}"#)
    };
    different_requests(Api::OpenAiChat, [&chat("a"), &chat("b")]);
    let anthropic = |id: &str| {
        let part = format!(r#"{{"type": "tool_result", "tool_use_id": "{id}", "content": "1"}}"#);
        format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": [{part}]}}]}}"#)
    };
    different_requests(Api::AnthropicMessages, [&anthropic("a"), &anthropic("b")]);
}

#[test]
fn ids_of_calls_that_are_in_the_request_are_names_alone() {
    let request = |id: &str| format!(r#"{{"type": "mcp_approval_request", "id": "{id}", "name": "f"}}"#);
    let response =
        |id: &str| format!(r#"{{"type": "mcp_approval_response", "approval_request_id": "{id}", "approve": true}}"#);
    let with = |a: &str, b: &str| items([&request(a), &response(b)]);
    same_request(Api::OpenAiResponses, [&with("a", "a"), &with("b", "b")]);
    different_requests(Api::OpenAiResponses, [&with("a", "a"), &with("a", "b")]);
    let shell = |id: &str| {
        let call = format!(r#"{{"type": "local_shell_call", "id": "x{id}", "call_id": "{id}", "action": {{}}}}"#);
        items([&call, &format!(r#"{{"type": "local_shell_call_output", "call_id": "{id}", "output": ""}}"#)])
    };
    same_request(Api::OpenAiResponses, [&shell("a"), &shell("b")]);
}

#[test]
fn the_order_of_entries_does_not_number_ids() {
    let call = |entries: &str| items([&format!(r#"{{"type": "mcp_call", "name": "f", {entries}}}"#)]);
    let [forward, backward] = [r#""id": "x", "approval_request_id": "x""#, r#""approval_request_id": "x", "id": "x""#];
    same_request(Api::OpenAiResponses, [&call(forward), &call(backward)]);
    let made = |call: Value| {
        let request = map([("type", text("mcp_approval_request")), ("id", text("y"))]);
        let input = Value::List(vec![call, request]);
        identity(&Normal::from_keywords(Api::OpenAiResponses, map([("input", input)])).unwrap())
    };
    let (kind, id, link) = (("type", text("mcp_call")), ("id", text("x")), ("approval_request_id", text("y")));
    assert_eq!(made(map([kind.clone(), id.clone(), link.clone()])), made(map([link, id, kind])));
}

#[test]
fn an_id_that_is_named_elsewhere_counts() {
    let call = |id: &str, of: &str| {
        format!(r#"{{"type": "function_call", "call_id": "{id}", "id": "i{id}", "name": "f", "arguments": "{of}"}}"#)
    };
    for other in [r#"{"type": "program_output", "call_id": "a"}"#, r#"{"type": "item_reference", "id": "ia"}"#] {
        let with = |a: &str, b: &str| items([&call("a", a), &call("b", b), other]);
        different_requests(Api::OpenAiResponses, [&with("1", "2"), &items([&call("b", "1"), &call("a", "2"), other])]);
    }
    // Server tools that are called by code name the code's call.
    let parts = |one: &str, other: &str| {
        let code = |id: &str, of: &str| {
            format!(
                r#"{{"type": "server_tool_use", "id": "{id}", "name": "code_execution", "input": {{"code": "{of}"}}}}"#
            )
        };
        let tool =
            r#"{"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "c", "tool_id": "a"}}"#;
        format!(
            r#"{{"messages": [{{"role": "assistant", "content": [{}, {}, {tool}]}}]}}"#,
            code(one, "1"),
            code(other, "2")
        )
    };
    different_requests(Api::AnthropicMessages, [&parts("a", "b"), &parts("b", "a")]);
}

#[test]
fn messages_of_anthropic_have_one_normal_form() {
    same_request(
        Api::AnthropicMessages,
        [
            r#"{"model": "m", "max_tokens": 9, "system": "S", "messages": [{"role": "user", "content": "hi"}],
                "tools": [{"name": "f", "input_schema": {"properties": {"cache_control": {"type": "string"}}}}]}"#,
            r#"{"model": "m", "max_tokens": 9, "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}],
                "tools": [{"name": "f", "input_schema": {"properties": {"cache_control": {"type": "string"}}}, "cache_control": {}}],
                "metadata": {"user_id": "u"}, "service_tier": "auto", "extra_headers": {"x-api-key": "k"}}"#,
        ],
    );
    different_requests(
        Api::AnthropicMessages,
        [
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "system": "S"}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "system": [{"type": "text", "text": "S"}, {"type": "text", "text": "T"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "extra_headers": {"anthropic-beta": "context-1m"}}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "f", "input_schema": {}}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "f", "input_schema": {"cache_control": 1}}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": null}"#,
        ],
    );
    let container = normal(Api::AnthropicMessages, r#"{"container": "c", "messages": []}"#);
    assert!(container.uncacheable.is_some());
}

#[test]
fn embeddings_are_exact() {
    same_request(
        Api::OpenAiEmbeddings,
        [
            r#"{"model": "m", "input": "text", "dimensions": 8}"#,
            r#"{"model": "m", "input": ["text"], "dimensions": 8.0, "user": "u"}"#,
        ],
    );
    different_requests(
        Api::OpenAiEmbeddings,
        [
            r#"{"model": "m", "input": "text"}"#,
            r#"{"model": "m", "input": "text "}"#,
            r#"{"model": "m", "input": ["text", "text"]}"#,
            r#"{"model": "m", "input": [[1, 2]]}"#,
            r#"{"model": "m", "input": "text", "encoding_format": "base64"}"#,
        ],
    );
    let fields = Fields { api: Api::OpenAiEmbeddings, query: "text", model: "m", version: "1", ..Fields::default() };
    let made = secret().identify_fields(Scope::Named("tenant"), fields, Value::Null, Value::Null, Value::Null, false);
    let wire = identity(&normal(Api::OpenAiEmbeddings, r#"{"model": "m", "input": "text"}"#));
    assert_eq!(made.unwrap(), wire);
    assert_eq!(wire.normal_key, None);
}

#[test]
fn plain_requests_keep_all_that_is_said() {
    let made = |params: Value| {
        let fields = Fields { query: "q", ..Fields::default() };
        secret().identify_fields(Scope::Single, fields, Value::Null, params, Value::Null, false).unwrap().key
    };
    assert_ne!(made(map([("user", text("a"))])), made(map([("user", text("b"))])));
    assert_ne!(made(map([("stop", Value::Null)])), made(map([])));
    assert_eq!(made(Value::Null), made(map([])));
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    let made = |api, params: Value, messages: Value| {
        Normal::from_fields(Fields { api, query: "q", model: "m", system: "S", ..Fields::default() }, messages, params)
    };
    for (api, name) in
        [(Api::OpenAiChat, "messages"), (Api::OpenAiResponses, "instructions"), (Api::AnthropicMessages, "model")]
    {
        let error = made(api, map([(name, text("x"))]), Value::Null).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(made(Api::OpenAiChat, text("x"), Value::Null).is_err());
    assert!(made(Api::OpenAiChat, Value::Null, text("x")).is_err());
    assert!(Normal::from_keywords(Api::OpenAiChat, text("x")).is_err());
    assert!(Normal::from_keywords(Api::Plain, map([])).is_err());
}

#[test]
fn every_api_has_a_name_of_its_own() {
    for api in Api::ALL {
        assert_eq!(Api::named(api.name()), Some(api));
    }
    assert_eq!(Api::named("openai"), None);
}

#[test]
fn questions_written_in_other_ways_meet_under_their_normal_keys() {
    let fold = |query: &str, fold| secret().identify(Scope::Single, &request(query, &Value::Null), fold).unwrap();
    let id = |query: &str| fold(query, false);
    let (plain, spaced, typed) = (id("What's x?"), id(" What\u{2019}s  x?"), id("What's\u{a0}x?"));
    assert_eq!(plain.normal_key, None);
    assert_ne!(spaced.key, typed.key);
    assert_eq!((spaced.normal_key, typed.normal_key), (Some(plain.key), Some(plain.key)));
    assert_eq!(id("cafe\u{301}").normal_key, None, "it has the key of the composed form anyway");
    // Keys without case are a domain of their own.
    let (upper, lower) = (fold("WHAT'S X?", true), fold("what's x?", true));
    assert_eq!(upper.normal_key, lower.normal_key);
    assert!(upper.normal_key.is_some_and(|key| key != lower.key && key != upper.key));
    assert_ne!(id("WHAT'S X?").normal_key, upper.normal_key);
}
