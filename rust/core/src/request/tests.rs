mod builders;
mod forms;

use proptest::prelude::*;

use super::*;

const NOTHING: &Value = &Value::List(Vec::new());

fn request<'a>(query: &'a str, params: &'a Value) -> Request<'a> {
    Request {
        api: Api::Plain,
        query: Some(query),
        model: "m",
        system: "s",
        history: NOTHING,
        turn: &Value::Null,
        params,
        context: NOTHING,
        version: "",
        router: "",
        stream: false,
    }
}

fn secret() -> Secret {
    Secret::new(b"a secret of the tests")
}

#[allow(clippy::needless_pass_by_value)] // for shorter tests
fn fingerprint(params: Value) -> Fingerprint {
    secret().fingerprint(&request("q", &params)).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

fn identity(normal: &Normal) -> Identity {
    secret().identify(Scope::Named("tenant"), &normal.request(NOTHING, "1", ""), false).unwrap()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-5..5i128).prop_map(Value::Integer),
        any::<i128>().prop_map(Value::Integer),
        any::<f64>().prop_filter("NaN equals nothing", |number| !number.is_nan()).prop_map(Value::Float),
        "[a-c:\\[]{0,3}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                .prop_map(|map| Value::Map(map.into_iter().collect())),
        ]
    })
}

/// The oracle of equality: numbers by value, maps without order.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(a), Value::Float(b)) | (Value::Float(b), Value::Integer(a)) => {
            b.fract() == 0.0 && b.abs() < 1.7e38 && *b as i128 == *a
        }
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.iter().any(|(other, b)| name == other && same(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn values_share_a_fingerprint_only_if_they_are_equal(a in value(), b in value()) {
        prop_assert_eq!(fingerprint(a.clone()) == fingerprint(b.clone()), same(&a, &b));
        prop_assert_eq!(fingerprint(a.clone()), fingerprint(a));
    }

    #[test]
    fn neighbouring_fields_do_not_run_into_each_other(a in "[ab]{0,4}", b in "[ab]{0,4}", c in "[ab]{0,4}", d in "[ab]{0,4}") {
        let with = |model: &str, system: &str| {
            secret().fingerprint(&Request { model, system, ..request("q", &Value::Null) }).unwrap()
        };
        prop_assert_eq!(with(&a, &b) == with(&c, &d), (a, b) == (c, d));
    }

    #[test]
    fn the_order_of_names_does_not_matter(map in prop::collection::btree_map("[a-z]{1,3}", value(), 0..6)) {
        let forward: Vec<_> = map.into_iter().collect();
        let backward = forward.iter().rev().cloned().collect();
        prop_assert_eq!(fingerprint(Value::Map(forward)), fingerprint(Value::Map(backward)));
    }

    #[test]
    fn scopes_share_nothing(a in "\\PC{0,6}", b in "\\PC{0,6}") {
        prop_assume!(a != b);
        let print = fingerprint(Value::Null);
        let (a, b) = (Scope::Named(&a), Scope::Named(&b));
        prop_assert_ne!(secret().exact_key(a, &print, "q"), secret().exact_key(b, &print, "q"));
        prop_assert_ne!(secret().partition(a, "e", &print), secret().partition(b, "e", &print));
    }
}

#[test]
fn names_that_unicode_calls_equal_are_two_scopes() {
    let print = fingerprint(Value::Null);
    let (kelvin, k) = (Scope::Named("\u{212a}"), Scope::Named("K"));
    assert_ne!(secret().exact_key(kelvin, &print, "q"), secret().exact_key(k, &print, "q"));
    assert_ne!(secret().principal(Scope::Single, Some("\u{212a}")), secret().principal(Scope::Single, Some("K")));
}

#[test]
fn every_field_counts() {
    let base = request("q", &Value::Null);
    let x = text("x");
    let variants = [
        Request { api: Api::OpenAiChat, ..base },
        Request { query: None, ..base },
        Request { turn: &x, ..base },
        Request { model: "x", ..base },
        Request { system: "x", ..base },
        Request { history: &x, ..base },
        Request { params: &x, ..base },
        Request { context: &x, ..base },
        Request { version: "x", ..base },
        Request { router: "x", ..base },
        Request { stream: true, ..base },
        base,
    ];
    let mut prints: Vec<_> = variants.iter().map(|request| secret().fingerprint(request).unwrap()).collect();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), variants.len());
}

#[test]
fn the_query_is_in_the_key_and_not_in_the_fingerprint() {
    let (a, b) = (request("a", &Value::Null), request("b", &Value::Null));
    let print = secret().fingerprint(&a).unwrap();
    assert_eq!(print, secret().fingerprint(&b).unwrap());
    let key = |query| secret().exact_key(Scope::Single, &print, query);
    assert_ne!(key("a"), key("b"));
}

#[test]
fn unicode_forms_are_one_text() {
    let print = fingerprint(text("caf\u{e9}"));
    assert_eq!(print, fingerprint(text("cafe\u{301}")));
    let key = |query| secret().exact_key(Scope::Single, &print, query);
    assert_eq!(key("\u{e9}"), key("e\u{301}"));
}

#[test]
fn numbers_count_by_value_and_true_is_no_number() {
    assert_eq!(fingerprint(Value::Integer(1)), fingerprint(Value::Float(1.0)));
    assert_eq!(fingerprint(Value::Integer(0)), fingerprint(Value::Float(-0.0)));
    assert_ne!(fingerprint(Value::Integer(1)), fingerprint(Value::Bool(true)));
    assert_ne!(fingerprint(Value::Integer(1)), fingerprint(text("1")));
}

#[test]
fn special_scopes_differ_from_named_ones_and_from_each_other() {
    let print = fingerprint(Value::Null);
    let scopes = [Scope::Single, Scope::Public, Scope::Named(""), Scope::Named("o"), Scope::Named("p")];
    let mut partitions: Vec<_> = scopes.iter().map(|&scope| secret().partition(scope, "e", &print)).collect();
    partitions.sort_unstable();
    partitions.dedup();
    assert_eq!(partitions.len(), scopes.len());
}

#[test]
fn encoders_and_secrets_separate_partitions() {
    let print = fingerprint(Value::Null);
    let partition = |secret: &Secret, encoder| secret.partition(Scope::Single, encoder, &print);
    assert_ne!(partition(&secret(), "a"), partition(&secret(), "b"));
    assert_ne!(partition(&secret(), "a"), partition(&Secret::new(b"another"), "a"));
}

#[test]
fn a_principal_is_the_user_in_a_scope_else_the_scope() {
    let secret = secret();
    assert_eq!(secret.principal(Scope::Single, None), None);
    assert_eq!(secret.principal(Scope::Public, None), None);
    let scoped = secret.principal(Scope::Named("a"), None);
    assert!(scoped.is_some());
    assert_ne!(scoped, secret.principal(Scope::Named("a"), Some("u")));
    assert_ne!(secret.principal(Scope::Named("a"), Some("u")), secret.principal(Scope::Named("b"), Some("u")));
}

#[test]
fn bottomless_data_is_refused() {
    let deep = (0..200).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let error = secret().fingerprint(&request("q", &deep)).unwrap_err();
    assert!(error.to_string().contains("128 levels"), "{error}");
}
