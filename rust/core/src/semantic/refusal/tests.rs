use proptest::prelude::*;

use super::*;

const DAY: f64 = 86_400.0;

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn turn(role: &str, content: &str) -> Value {
    map([("role", text(role)), ("content", text(content))])
}

fn conversation() -> Value {
    Value::List(vec![turn("user", "Which cards do you offer?"), turn("assistant", "A debit card and a credit card.")])
}

struct Case {
    query: Option<&'static str>,
    history: Value,
    turn: Value,
    params: Value,
    ttl: Option<f64>,
    public: bool,
    read_only: Vec<String>,
}

impl Case {
    fn new(query: &'static str) -> Self {
        let (history, turn, params) = (Value::List(vec![turn("system", "Be brief.")]), Value::Null, map([]));
        Self { query: Some(query), history, turn, params, ttl: Some(DAY), public: false, read_only: vec![] }
    }

    fn name(&self) -> Option<&'static str> {
        let Self { query, history, turn, params, .. } = self;
        let asked = Asked { query: *query, history, turn, params };
        let terms = Terms {
            ttl_seconds: self.ttl,
            public: self.public,
            max_temperature: MAX_TEMPERATURE,
            read_only_tools: &self.read_only,
        };
        refusal(asked, terms).map(|refusal| refusal.name)
    }
}

fn name(query: &'static str) -> Option<&'static str> {
    Case::new(query).name()
}

#[test]
fn questions_about_the_moment_are_fresh() {
    for query in [
        "What is my checking account balance right now?",
        "What's my current checking balance?",
        "What's today's 30-year fixed mortgage rate?",
        "What's the USD to EUR exchange rate today?",
        "What's the current USD to EUR rate?",
        "Show my current pending transactions.",
        "What are my pending transactions right now?",
        "What is the current 30-year fixed mortgage rate?",
        "what is my balance",
        "How much is the price of gold?",
        "latest news on inflation",
        "what time is it in Tokyo",
        "What did I spend today?",
        "I need today's mortgage rate",
        "I want to know what the weather is like",
        "I'd like to know the exchange rate for dollars",
        "Wie ist der aktuelle Zinssatz?",
        "\u{bf}Cu\u{e1}l es el tipo de cambio hoy?",
        "Quel est le taux de change aujourd\u{2019}hui ?",
        "Какой сейчас курс?",
        "What happens this week?",
    ] {
        assert_eq!(name(query), Some("fresh"), "{query}");
        assert_eq!(Case { ttl: None, ..Case::new(query) }.name(), Some("fresh"), "{query}");
        assert_eq!(Case { ttl: Some(30.0), ..Case::new(query) }.name(), None, "{query}");
    }
}

#[test]
fn each_phrase_has_its_horizon() {
    let at = |query, ttl| Case { ttl: Some(ttl), ..Case::new(query) }.name();
    assert_eq!((at("who leads right now", 60.0), at("who leads right now", 61.0)), (None, Some("fresh")));
    assert_eq!((at("who leads today", 3_600.0), at("who leads today", 3_601.0)), (None, Some("fresh")));
    assert_eq!((at("who leads this week", 21_600.0), at("who leads this week", 21_601.0)), (None, Some("fresh")));
}

#[test]
fn ordinary_questions_are_compared() {
    for query in [
        "How do I open a current account?",
        "Are current accounts free?",
        "What is electric current?",
        "How is alternating current made?",
        "Is it safe to share my IBAN?",
        "From now on, can you only use euros?",
        "Where do you live?",
        "What role do women play in today's world?",
        "The cash deposit I made this morning has not been credited to my account",
        "Why was the exchange rate wrong?",
        "How is the exchange rate determined?",
        "How do I check my balance?",
        "What is the time frame for transfers?",
        "why",
        "What about it?",
        "How long does it take to get a card?",
        "Say x\u{b2} in words",
    ] {
        assert_eq!(name(query), None, "{query}");
    }
}

#[test]
fn follow_ups_are_refused_in_a_conversation_only() {
    for query in [
        "and the second one?",
        "what about it?",
        "why?",
        "What about the fees for students?",
        "How do I activate it?",
        "Does it come with insurance?",
        "Can you explain that in more detail?",
        "Is that also free for students?",
        "How much do they cost per year?",
        "Which of these is the cheaper choice?",
        "Can I order the second one online?",
        "Please say the previous answer in French",
        "Und was kostet die zweite Karte?",
        "\u{bf}Cu\u{e1}nto cuesta eso para estudiantes?",
        "Combien co\u{fb}te celle avec assurance ?",
        "Сколько она стоит в год?",
    ] {
        assert_eq!(Case { history: conversation(), ..Case::new(query) }.name(), Some("follow_up"), "{query}");
        assert_eq!(name(query), None, "{query}");
    }
}

#[test]
fn whole_questions_are_compared_in_a_conversation_too() {
    for query in [
        "Is it safe to share my card number by phone?",
        "How long does it take to receive a new card?",
        "Which documents do I need to open an account?",
        "The card that I ordered has not arrived",
        "If my debit card was stolen, how do I block it?",
        "Can I use my card abroad this year?",
    ] {
        assert_eq!(Case { history: conversation(), ..Case::new(query) }.name(), None, "{query}");
    }
}

#[test]
fn personal_data_is_refused_where_answers_are_public() {
    for query in [
        "Why was jane.doe+x@example.com locked out?",
        "Call me on +49 30 1234567",
        "my number is 555-1234",
        "Is (212) 555-0123 a scam?",
        "Appelez le 06 12 34 56 78",
        "Is 4111 1111 1111 1111 12/27 valid?",
        "charge 4111111111111111 please",
        "Send it to DE89 3704 0044 0532 0130 00 please",
        "Is GB82WEST12345698765432 right?",
        "the SSN 123-45-6789",
        "My name is Jane, can you help?",
        "What is on my account?",
        "Ich hei\u{df}e Anna, wo ist die Karte?",
        "меня зовут Анна",
    ] {
        assert_eq!(Case { public: true, ..Case::new(query) }.name(), Some("personal_data"), "{query}");
        assert_ne!(name(query), Some("personal_data"), "{query}");
    }
}

#[test]
fn numbers_that_are_nobody_s_may_be_public() {
    for query in [
        "What is 12,345,678 + 1?",
        "What happened from 2019-2020?",
        "Is 192.168.100.100 a private address?",
        "What comes after 1 2 3 4 5 6 7 8 9 10?",
        "Meet on 2024-01-15",
        "What does @property do in Python 3.11?",
        "What does the DE89 code stand for in lists",
        "How do I order a card?",
    ] {
        assert_eq!(Case { public: true, ..Case::new(query) }.name(), None, "{query}");
    }
}

#[test]
fn the_checks_of_card_and_bank_numbers_count() {
    let public = |query| Case { public: true, ..Case::new(query) };
    // One digit off: no card any more, but still the number of something.
    let Case { history, turn, params, .. } = public("");
    let asked = |query| Asked { query: Some(query), history: &history, turn: &turn, params: &params };
    let terms = Terms { ttl_seconds: None, public: true, max_temperature: 1.0, read_only_tools: &[] };
    let sentence = |query| refusal(asked(query), terms).map(|refusal| refusal.sentence).unwrap_or_default();
    assert!(sentence("4111 1111 1111 1111").ends_with("the number of a card"));
    assert!(sentence("4111 1111 1111 1112").ends_with("the number of a phone or an account"));
    assert!(sentence("pay GB82 WEST 1234 5698 7654 32").contains("bank account"));
    assert!(!sentence("pay GB82 WEST 1234 5698 7654 33").contains("bank account"));
}

#[test]
fn tools_that_may_act_are_refused() {
    let function = |name| map([("type", text("function")), ("function", map([("name", text(name))]))]);
    let flat = |name| map([("type", text("function")), ("name", text(name))]);
    let offers = |params| Case { params, ..Case::new("How do I order a card?") };
    for params in [
        map([("tools", Value::List(vec![function("pay")]))]),
        map([("tools", Value::List(vec![flat("pay")]))]),
        map([("tools", Value::List(vec![function("look_up"), function("pay")]))]),
        map([("tools", Value::List(vec![map([("type", text("web_search"))])]))]),
        map([("functions", Value::List(vec![map([("name", text("pay"))])]))]),
        map([("tools", Value::List(vec![function("pay")])), ("tool_choice", text("auto"))]),
        map([("web_search_options", map([]))]),
        map([("mcp_servers", Value::List(vec![map([("name", text("files"))])]))]),
    ] {
        let case = Case { read_only: vec!["look_up".into()], ..offers(params) };
        assert_eq!(case.name(), Some("tools"), "{:?}", case.params);
    }
    for params in [
        map([("tools", Value::List(vec![function("look_up"), flat("look_up")]))]),
        map([("tools", Value::List(vec![function("pay")])), ("tool_choice", text("none"))]),
        map([("tools", Value::List(vec![flat("pay")])), ("tool_choice", map([("type", text("none"))]))]),
        map([("tools", Value::List(vec![]))]),
    ] {
        let case = Case { read_only: vec!["look_up".into()], ..offers(params) };
        assert_eq!(case.name(), None, "{:?}", case.params);
    }
}

#[test]
fn a_temperature_above_the_limit_is_refused() {
    let at = |temperature| {
        Case { params: map([("temperature", temperature)]), ..Case::new("How do I order a card?") }.name()
    };
    assert_eq!(at(Value::Float(1.01)), Some("temperature"));
    assert_eq!(at(Value::Integer(2)), Some("temperature"));
    assert_eq!((at(Value::Integer(1)), at(Value::Float(0.0)), at(Value::Null)), (None, None, None));
}

#[test]
fn without_a_text_of_a_user_nothing_is_compared() {
    let without = |history| Case { query: None, history: Value::List(history), ..Case::new("") }.name();
    assert_eq!(without(vec![turn("assistant", "The answer is (")]), Some("no_user_turn"));
    assert_eq!(without(vec![]), Some("no_user_turn"));
    assert_eq!(without(vec![turn("user", "")]), Some("not_text"));
    let part = |kind| map([("type", text(kind))]);
    let with = |parts| {
        let rest = map([("role", text("user")), ("content", Value::List(parts))]);
        Case { turn: Value::List(vec![Value::Integer(0), rest]), ..Case::new("What does this picture show?") }.name()
    };
    assert_eq!(with(vec![part("text"), part("image_url")]), Some("not_text"));
    assert_eq!(with(vec![part("text"), part("text")]), None);
}

/// Each of these would take many seconds if the time grew with the square of the text.
#[test]
fn hostile_texts_take_linear_time() {
    let (history, nothing) = (conversation(), Value::Null);
    for piece in [
        "now ",
        "weather ",
        "it ",
        "that the ",
        "a-",
        "1 ",
        "1234 ",
        "@a.",
        "a@",
        "GB82 ",
        "GB82WEST ",
        "my ",
        "i ",
        "(",
        "\u{301}",
        "what is the ",
        "balance my ",
        "this week ",
    ] {
        let query = format!("please {}", piece.repeat(100_000 / piece.len()));
        let asked = Asked { query: Some(&query), history: &history, turn: &nothing, params: &nothing };
        let terms = |public| Terms { ttl_seconds: Some(1.0), public, max_temperature: 1.0, read_only_tools: &[] };
        let alone = Asked { history: &nothing, ..asked };
        refusal(asked, terms(true));
        refusal(alone, terms(true));
    }
}

proptest! {
    /// Whatever the text, a verdict comes back, and asking for less is never refused more.
    #[test]
    fn a_shorter_life_is_refused_no_more(query in "(now|today|current|balance|my|it|[0-9 +@.-]{0,9}|\\PC{0,4}| ){0,12}", ttl in 1.0..1e6f64) {
        let (history, nothing) = (conversation(), Value::Null);
        let asked = Asked { query: Some(&query), history: &history, turn: &nothing, params: &nothing };
        let terms = |ttl| Terms { ttl_seconds: Some(ttl), public: true, max_temperature: 1.0, read_only_tools: &[] };
        let fresh = |ttl| refusal(asked, terms(ttl)).is_some_and(|refusal| refusal.name == "fresh");
        prop_assert!(!fresh(ttl) || fresh(ttl * 2.0));
    }

    /// An answer that lives for the horizon is not refused, and one that lives any longer is.
    #[test]
    fn the_horizon_is_where_a_life_becomes_too_long(query in "(now|today|current|this week|latest|my|it|[0-9 +@.-]{0,9}|\\PC{0,4}| ){0,12}") {
        let nothing = Value::Null;
        let asked = Asked { query: Some(&query), history: &nothing, turn: &nothing, params: &nothing };
        let fresh = |ttl_seconds| {
            let terms = Terms { ttl_seconds, public: false, max_temperature: 1.0, read_only_tools: &[] };
            refusal(asked, terms).is_some_and(|refusal| refusal.name == "fresh")
        };
        match horizon_seconds(&query) {
            Some(horizon) => {
                prop_assert_eq!([horizon, horizon + 0.001].map(|ttl| fresh(Some(ttl))), [false, true]);
                prop_assert!(fresh(None));
            }
            None => prop_assert!(!fresh(None)),
        }
    }
}
