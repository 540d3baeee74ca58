//! Which fields of the providers' APIs count, in tables.
//!
//! By the APIs' own references, as their Python libraries declare them (openai 1.x and 2.x, anthropic 0.x). What no
//! table names counts: an unknown field may change the answer.

/// The form in which a request is made, and in which its answer comes back.
///
/// It is part of the identity: an answer in one form must never be served to a caller who reads another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Api {
    /// A query and keywords of the application's own, all of which count as they are.
    #[default]
    Plain,
    /// OpenAI's chat completions, and whatever is compatible with them.
    OpenAiChat,
    /// OpenAI's responses.
    OpenAiResponses,
    /// OpenAI's embeddings.
    OpenAiEmbeddings,
    /// Anthropic's messages.
    AnthropicMessages,
}

use Api::{AnthropicMessages, OpenAiChat, OpenAiEmbeddings, OpenAiResponses, Plain};

impl Api {
    /// All of them.
    pub const ALL: [Self; 5] = [Plain, OpenAiChat, OpenAiResponses, OpenAiEmbeddings, AnthropicMessages];

    /// The name: empty for [`Api::Plain`].
    pub fn name(self) -> &'static str {
        match self {
            Plain => "",
            OpenAiChat => "openai.chat",
            OpenAiResponses => "openai.responses",
            OpenAiEmbeddings => "openai.embeddings",
            AnthropicMessages => "anthropic.messages",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// Whether a parameter says nothing about the answer.
    pub(super) fn is_volatile(self, parameter: &str) -> bool {
        VOLATILE.iter().any(|(apis, name, _)| *name == parameter && apis.contains(&self))
    }

    /// Whether the API takes null for `parameter`, as if it were absent.
    pub(super) fn is_nullable(self, parameter: &str) -> bool {
        NULLABLE.iter().any(|(apis, names)| apis.contains(&self) && names.contains(&parameter))
    }

    /// Why no answer to a request with `parameter` may be stored; None if it may.
    pub(super) fn why_uncacheable(self, parameter: &str) -> Option<&'static str> {
        let row = UNCACHEABLE.iter().find(|(apis, name, _)| *name == parameter && apis.contains(&self));
        row.map(|(_, _, why)| *why)
    }
}

const OPENAI: &[Api] = &[OpenAiChat, OpenAiResponses, OpenAiEmbeddings];
const GENERATION: &[Api] = &[OpenAiChat, OpenAiResponses];
const ANTHROPIC: &[Api] = &[AnthropicMessages];
const PROVIDERS: &[Api] = &[OpenAiChat, OpenAiResponses, OpenAiEmbeddings, AnthropicMessages];

/// Parameters that are no part of the identity, and why.
pub const VOLATILE: &[(&[Api], &str, &str)] = &[
    (PROVIDERS, "user", "who the end user is: for abuse monitoring and for routing to the provider's own cache"),
    (PROVIDERS, "metadata", "labels for the provider's dashboard; Anthropic's holds the user's id"),
    (PROVIDERS, "service_tier", "which queue serves the request, and what it costs; the model is the same"),
    (PROVIDERS, "request_id", "a name for this one call, which compatible servers take"),
    (PROVIDERS, "idempotency_key", "a name for this one call and its retries"),
    (PROVIDERS, "timeout", "how long the client library waits"),
    (PROVIDERS, "max_retries", "how often the client library tries"),
    (GENERATION, "safety_identifier", "who the end user is, hashed"),
    (GENERATION, "prompt_cache_key", "where the provider looks for a prompt it has read already"),
    (GENERATION, "prompt_cache_retention", "how long the provider remembers that prompt"),
    // Not of responses: an answer that was not kept cannot be the `previous_response_id` of another request.
    (&[OpenAiChat], "store", "whether the provider keeps the answer, to which no request refers"),
    (PROVIDERS, "cache_control", "a mark for the provider's prompt cache: price and latency alone"),
    (ANTHROPIC, "user_profile_id", "on whose behalf the request is made"),
];

/// Parameters that may be null, which says the same as leaving them out. Anthropic's API takes null for few of its own.
pub const NULLABLE: &[(&[Api], &[&str])] = &[
    (
        &[OpenAiChat],
        &[
            "audio",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "modalities",
            "n",
            "prediction",
            "presence_penalty",
            "reasoning_effort",
            "seed",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "top_logprobs",
            "top_p",
            "verbosity",
        ],
    ),
    (
        &[OpenAiResponses],
        &[
            "background",
            "conversation",
            "include",
            "instructions",
            "max_output_tokens",
            "max_tool_calls",
            "parallel_tool_calls",
            "previous_response_id",
            "prompt",
            "reasoning",
            "store",
            "stream",
            "stream_options",
            "temperature",
            "top_logprobs",
            "top_p",
            "truncation",
        ],
    ),
    (ANTHROPIC, &["container", "inference_geo"]),
    // What the client libraries take beside the API's own.
    (OPENAI, &["extra_body", "extra_headers", "extra_query"]),
    (ANTHROPIC, &["extra_body", "extra_headers", "extra_query"]),
];

/// Parameters after which the same request gets another answer, by what the provider keeps.
pub const UNCACHEABLE: &[(&[Api], &str, &str)] = &[
    (
        &[OpenAiResponses],
        "conversation",
        "the provider adds each turn to the conversation, so no two requests are the same",
    ),
    (ANTHROPIC, "container", "the files of a container change from one request to the next"),
];

/// Fields of a turn that may be null in chat completions, as the client library writes them.
pub(super) const NULLABLE_IN_TURNS: &[&str] = &["audio", "content", "function_call", "name", "refusal", "tool_calls"];

/// What an id in a turn does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It refers to nothing, and nothing to it.
    Idle,
    /// It is the name of a call, to which results refer.
    Defines,
    /// It says which call the turn answers.
    Refers,
}

/// The ids in items of the responses API, by the items' types. Those of other items stand for what the provider keeps
/// (`item_reference`, `reasoning` without its content, images), and count.
pub(super) const LINKS: &[(&[&str], &str, Link)] = &[
    (&["message"], "id", Link::Idle),
    (CALLS, "id", Link::Idle),
    (CALLS, "call_id", Link::Defines),
    (OUTPUTS, "id", Link::Idle),
    (OUTPUTS, "call_id", Link::Refers),
    (&["local_shell_call"], "id", Link::Defines),
    (&["local_shell_call"], "call_id", Link::Defines),
    // The reference says that `id` is the call's, its examples give a `call_id`.
    (&["local_shell_call_output"], "id", Link::Refers),
    (&["local_shell_call_output"], "call_id", Link::Refers),
    (&["mcp_approval_request", "mcp_call"], "id", Link::Defines),
    (&["mcp_approval_response"], "id", Link::Idle),
    (&["mcp_approval_response", "mcp_call"], "approval_request_id", Link::Refers),
];

const CALLS: &[&str] = &["function_call", "custom_tool_call", "computer_call"];
const OUTPUTS: &[&str] = &["function_call_output", "custom_tool_call_output", "computer_call_output"];

/// Headers that are no part of the identity, in lower case, and why; `*` stands for any ending. Others count: they may
/// name a version or a beta of the API, or a provider behind a gateway.
pub const VOLATILE_HEADERS: &[(&str, &str)] = &[
    ("authorization", "the caller's key: scopes say who shares answers"),
    ("proxy-authorization", "the key of a proxy on the way"),
    ("x-api-key", "the caller's key"),
    ("api-key", "the caller's key"),
    ("idempotency-key", "a name for this one call and its retries"),
    ("x-request-id", "a name for this one call"),
    ("x-client-request-id", "a name for this one call"),
    ("x-correlation-id", "a name for what this call is a part of"),
    ("traceparent", "the call's place in a trace"),
    ("tracestate", "the call's place in a trace"),
    ("baggage", "labels that travel with a trace"),
    ("b3", "the call's place in a trace"),
    ("x-b3-*", "the call's place in a trace"),
    ("sentry-trace", "the call's place in a trace"),
    ("x-datadog-*", "the call's place in a trace"),
    ("x-amzn-trace-id", "the call's place in a trace"),
    ("x-cloud-trace-context", "the call's place in a trace"),
    ("uber-trace-id", "the call's place in a trace"),
    ("user-agent", "which program calls"),
    ("x-stainless-*", "which client library calls, in which environment, and for which time"),
    ("http-referer", "the application's address, for a gateway's rankings"),
    ("x-title", "the application's name, for a gateway's rankings"),
    ("accept-encoding", "how the answer is compressed on its way"),
    ("connection", "what becomes of the connection afterwards"),
    ("content-length", "how long the body is"),
];

/// Whether a header, its name in lower case, says nothing about the answer.
pub(super) fn is_volatile_header(name: &str) -> bool {
    VOLATILE_HEADERS.iter().any(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}
