//! One normal form for requests, however they are made: query and keywords, an SDK's keyword arguments, a wire body.

use super::api::{Api, is_volatile_header};
use super::turns::{ExactOnly, LastTurn, normalise, take_last};
use super::value::{Entries, Value, set, take};
use super::{Fingerprint, Identity, Request, Scope, Secret, json};
use crate::error::{Error, ErrorKind, Result};

/// A request in normal form.
///
/// What can be written in several ways is written in one: a list of one part of text is the text, an optional parameter
/// that is null is absent, ids that only link a call with its result, both of them in the request, count up from 0, and
/// fields that say nothing about the answer are gone ([`super::VOLATILE`]). So `query`, `system`, `history` and so on are
/// the same whichever builder made them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Normal {
    /// The form in which the request is made and answered.
    pub api: Api,
    /// The text of the last user turn; None if the last turn is not a user's, or holds no text.
    pub query: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// The system prompt, where it is a text: the first turn in chat completions, `instructions`, `system`.
    pub system: String,
    /// The turns before the last user turn; all turns if there is no query.
    pub history: Value,
    /// What the last user turn holds beside its text: Null if nothing, else the text's place (−1: all of the content)
    /// and the turn without it.
    pub turn: Value,
    /// Every other parameter.
    pub params: Value,
    /// Whether the answer is a stream of events.
    pub stream: bool,
    /// Why there is no query.
    pub exact_only: Option<ExactOnly>,
    /// Why no answer may be stored, whatever it is.
    pub uncacheable: Option<&'static str>,
}

/// The texts of a request that is made of a query and keywords.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'a> {
    /// The form in which the request is made and answered.
    pub api: Api,
    /// The last user turn.
    pub query: &'a str,
    /// The model.
    pub model: &'a str,
    /// The system prompt; empty for none.
    pub system: &'a str,
    /// The application's own version of its prompt or data.
    pub version: &'a str,
    /// What the router's choice depends on beside the request.
    pub router: &'a str,
    /// Whether the answer is a stream.
    pub stream: bool,
}

/// What the application and the router add to a request in normal form.
#[derive(Debug, Clone, Copy, Default)]
pub struct Added<'a> {
    /// The application's own version of its prompt or data.
    pub version: &'a str,
    /// What the router's choice depends on beside the request.
    pub router: &'a str,
    /// Whether the answer is a stream, where that is not what the request says.
    pub stream: Option<bool>,
}

impl<'a> Fields<'a> {
    /// A request of the application's own. Nothing is copied.
    fn request(self, history: &'a Value, params: &'a Value, context: &'a Value) -> Request<'a> {
        const NOTHING: &Value = &Value::Null;
        let Self { query, model, system, version, router, stream, .. } = self;
        let (api, query, turn) = (Api::Plain, Some(query), NOTHING);
        Request { api, query, model, system, history, turn, params, context, version, router, stream }
    }
}

impl Secret {
    /// Fingerprint, exact key and normal key of a request that is made of a query and keywords.
    ///
    /// `messages` are the turns before the query, with or without it as the last. Null stands for no messages,
    /// parameters or documents.
    ///
    /// # Errors
    /// `Config` as [`Normal::from_fields`], and if a value is nested too deeply.
    pub fn identify_fields(
        &self,
        scope: Scope<'_>,
        fields: Fields<'_>,
        messages: Value,
        params: Value,
        context: Value,
        fold_case: bool,
    ) -> Result<Identity> {
        let Fields { api, query, version, router, .. } = fields;
        if api != Api::Plain {
            let normal = Normal::from_fields(fields, messages, params)?;
            return self.identify_normal(scope, &normal, context, Added { version, router, stream: None }, fold_case);
        }
        let history = without_query(messages, query);
        let (params, context) = (or_empty(params, Value::Map(Vec::new())), or_empty(context, Value::List(Vec::new())));
        self.identify(scope, &fields.request(&history, &params, &context), fold_case)
    }

    /// The fingerprint of a request of the application's own: [`Fields::query`] and [`Fields::api`] are not looked at,
    /// and
    /// `messages` are the turns before the query, without it.
    ///
    /// # Errors
    /// `Config` if a value is nested too deeply.
    pub fn fingerprint_fields(
        &self,
        fields: Fields<'_>,
        messages: Value,
        params: Value,
        context: Value,
    ) -> Result<Fingerprint> {
        let (history, context) =
            (or_empty(messages, Value::List(Vec::new())), or_empty(context, Value::List(Vec::new())));
        let params = or_empty(params, Value::Map(Vec::new()));
        self.fingerprint(&fields.request(&history, &params, &context))
    }

    /// Fingerprint, exact key and normal key of a request in normal form; Null stands for no documents.
    ///
    /// # Errors
    /// `Config` if a value is nested too deeply.
    pub fn identify_normal(
        &self,
        scope: Scope<'_>,
        normal: &Normal,
        context: Value,
        added: Added<'_>,
        fold_case: bool,
    ) -> Result<Identity> {
        let context = or_empty(context, Value::List(Vec::new()));
        let request = normal.request(&context, added.version, added.router);
        let stream = added.stream.unwrap_or(request.stream);
        self.identify(scope, &Request { stream, ..request }, fold_case)
    }
}

impl Normal {
    /// The normal form of an SDK's keyword arguments, a map.
    ///
    /// `extra_body` counts as if its entries were arguments, which is how it is sent. `extra_headers` count
    /// but for those of [`super::VOLATILE_HEADERS`].
    ///
    /// # Errors
    /// `Config` if `keywords` is no map, or if `api` is [`Api::Plain`], which has no keywords of its own.
    pub fn from_keywords(api: Api, keywords: Value) -> Result<Self> {
        let Value::Map(mut params) = keywords else { return Err(config("a request must be an object with names")) };
        if api == Api::Plain {
            return Err(config("a plain request is made of a query and keywords, not of an API's"));
        }
        client_arguments(&mut params);
        params.retain(|(name, value)| !(api.is_volatile(name) || *value == Value::Null && api.is_nullable(name)));
        let uncacheable = params.iter().find_map(|(name, _)| api.why_uncacheable(name));
        let mut normal = Self { api, uncacheable, ..Self::default() };
        normal.model = take_text(&mut params, "model");
        if let Some((_, Value::Bool(stream))) = params.iter().find(|(name, _)| name == "stream") {
            normal.stream = *stream;
            take(&mut params, "stream");
        }
        normal.converse(&mut params);
        normal.params = Value::Map(params);
        Ok(normal)
    }

    /// The normal form of a wire body, JSON in UTF-8.
    ///
    /// # Errors
    /// `Config` as [`Normal::from_keywords`], and if the body is not JSON.
    pub fn from_wire(api: Api, body: &[u8]) -> Result<Self> {
        json::parse(body).and_then(|keywords| Self::from_keywords(api, keywords))
    }

    /// The normal form of a query and keywords; `messages` are the turns before the query, with or without it as the
    /// last.
    ///
    /// For [`Api::Plain`] everything counts as it is. For another API it is the request that says the same: the system
    /// prompt, the turns and the query stand where the API wants them.
    ///
    /// # Errors
    /// `Config` if an API's `params` are no map or name what the other arguments stand for, or its `messages` are no list.
    pub fn from_fields(fields: Fields<'_>, messages: Value, params: Value) -> Result<Self> {
        let Fields { api, query, model, system, stream, .. } = fields;
        let (history, params) = (without_query(messages, query), or_empty(params, Value::Map(Vec::new())));
        if api == Api::Plain {
            let (query, model, system) = (Some(query.into()), model.into(), system.into());
            return Ok(Self { query, model, system, history, params, stream, ..Self::default() });
        }
        let (Value::Map(mut params), Value::List(mut turns)) = (params, history) else {
            return Err(config("params must be an object with names, and messages a list"));
        };
        let turn = |role: &str, text: &str| {
            Value::Map(vec![("role".into(), Value::Text(role.into())), ("content".into(), Value::Text(text.into()))])
        };
        let system_turn = api == Api::OpenAiChat && !system.is_empty();
        if system_turn {
            turns.insert(0, turn("system", system));
        }
        if api == Api::OpenAiEmbeddings {
            put(&mut params, "input", Value::Text(query.into()))?;
        } else {
            turns.push(turn("user", query));
        }
        if !turns.is_empty() {
            put(&mut params, if api == Api::OpenAiResponses { "input" } else { "messages" }, Value::List(turns))?;
        }
        if !system.is_empty() && !system_turn {
            let place = if api == Api::OpenAiResponses { "instructions" } else { "system" };
            put(&mut params, place, Value::Text(system.into()))?;
        }
        if !model.is_empty() {
            put(&mut params, "model", Value::Text(model.into()))?;
        }
        if stream {
            put(&mut params, "stream", Value::Bool(true))?;
        }
        Self::from_keywords(api, Value::Map(params))
    }

    /// The request, with what the application and the router add to it.
    pub fn request<'a>(&'a self, context: &'a Value, version: &'a str, router: &'a str) -> Request<'a> {
        Request {
            api: self.api,
            query: self.query.as_deref(),
            model: &self.model,
            system: &self.system,
            history: &self.history,
            turn: &self.turn,
            params: &self.params,
            context,
            version,
            router,
            stream: self.stream,
        }
    }

    /// Takes system prompt, turns and query out of the parameters.
    fn converse(&mut self, params: &mut Entries) {
        let place = match self.api {
            Api::OpenAiResponses | Api::OpenAiEmbeddings => "input",
            _ => "messages",
        };
        let turns = take(params, place).unwrap_or(Value::Null);
        if self.api == Api::OpenAiEmbeddings {
            self.history = single(turns);
            self.exact_only = Some(ExactOnly::Embedding);
            return;
        }
        let mut turns = match turns {
            Value::List(turns) => turns,
            // The responses API takes a text for one user turn.
            Value::Text(text) if self.api == Api::OpenAiResponses => {
                let entries = [("role", "user".to_owned()), ("content", text)];
                vec![Value::Map(entries.map(|(name, text)| (name.to_owned(), Value::Text(text))).into())]
            }
            other => {
                self.history = other;
                self.exact_only = Some(ExactOnly::NoUserTurn);
                return;
            }
        };
        normalise(self.api, &mut turns);
        match self.api {
            Api::OpenAiChat => self.system = take_system_turn(&mut turns),
            Api::OpenAiResponses => self.system = take_text(params, "instructions"),
            _ => self.take_system_parameter(params),
        }
        let LastTurn { query, rest, exact_only } = take_last(&mut turns);
        (self.query, self.turn, self.exact_only) = (query, rest, exact_only);
        self.history = Value::List(turns);
    }

    /// Takes Anthropic's `system`, a text or parts, and the marks of its prompt cache out of system prompt and tools.
    fn take_system_parameter(&mut self, params: &mut Entries) {
        for (_, value) in params.iter_mut().filter(|(name, _)| name == "tools" || name == "system") {
            let Value::List(items) = value else { continue };
            for item in items.iter_mut() {
                if let Value::Map(entries) = item {
                    take(entries, "cache_control");
                }
            }
        }
        if let Some((_, system)) = params.iter_mut().find(|(name, _)| name == "system") {
            super::turns::collapse(system);
        }
        self.system = take_text(params, "system");
    }
}

/// Resolves what the client libraries take beside the API's parameters.
fn client_arguments(params: &mut Entries) {
    match take(params, "extra_body") {
        Some(Value::Map(body)) => body.into_iter().for_each(|(name, value)| set(params, &name, value)),
        Some(Value::Null) | None => {}
        Some(other) => params.push(("extra_body".into(), other)),
    }
    match take(params, "extra_headers") {
        Some(Value::Map(headers)) => {
            let lower = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
            let headers: Entries = lower.filter(|(name, _)| !is_volatile_header(name)).collect();
            if !headers.is_empty() {
                params.push(("extra_headers".into(), Value::Map(headers)));
            }
        }
        Some(Value::Null) | None => {}
        Some(other) => params.push(("extra_headers".into(), other)),
    }
}

/// Takes the text of `name`; empty if it is none, in which case it stays where it is.
fn take_text(params: &mut Entries, name: &str) -> String {
    match params.iter().position(|(other, value)| other == name && matches!(value, Value::Text(_))) {
        Some(at) => match params.remove(at).1 {
            Value::Text(text) => text,
            _ => String::new(),
        },
        None => String::new(),
    }
}

/// Takes the first turn of a chat if it is a system prompt of nothing but text. A developer's stays a turn: servers
/// other than OpenAI's may tell the two apart. So does an empty one, since a model may have a prompt of its own where
/// there is none.
fn take_system_turn(turns: &mut Vec<Value>) -> String {
    let is_prompt = |turn: &Value| {
        matches!(turn, Value::Map(entries) if entries.len() == 2)
            && turn.says("role", "system")
            && turn.get("content").and_then(Value::as_text).is_some_and(|text| !text.is_empty())
    };
    if !turns.first().is_some_and(is_prompt) {
        return String::new();
    }
    match turns.remove(0) {
        Value::Map(mut entries) => take_text(&mut entries, "content"),
        _ => String::new(),
    }
}

/// A list of one text as the text: both ask for one embedding.
fn single(input: Value) -> Value {
    match input {
        Value::List(mut items) if matches!(items.as_slice(), [Value::Text(_)]) => items.remove(0),
        other => other,
    }
}

fn or_empty(value: Value, empty: Value) -> Value {
    if value == Value::Null { empty } else { value }
}

/// The turns before the query, whether or not the last of them is the query itself.
fn without_query(messages: Value, query: &str) -> Value {
    match messages {
        Value::Null => Value::List(Vec::new()),
        Value::List(mut turns) => {
            let is_query = |turn: &Value| {
                matches!(turn, Value::Map(entries) if entries.len() == 2)
                    && turn.says("role", "user")
                    && turn.says("content", query)
            };
            if turns.last().is_some_and(is_query) {
                turns.pop();
            }
            Value::List(turns)
        }
        other => other,
    }
}

/// Adds a parameter that another argument stands for.
fn put(params: &mut Entries, name: &str, value: Value) -> Result<()> {
    if params.iter().any(|(other, _)| other == name) {
        return Err(config(&format!("params name {name:?}, which another argument stands for")));
    }
    params.push((name.into(), value));
    Ok(())
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}
