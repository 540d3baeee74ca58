use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn price(input: i128, output: i128) -> Price {
    Price::new(Money::from_pico(input), Money::from_pico(output)).unwrap()
}

fn entry(outcome: Outcome, baseline: Option<Price>, served: Option<Price>, tokens: Option<Tokens>) -> Entry<'static> {
    Entry { outcome, model: "m", baseline, served, tokens, estimated: false, user: None, feature: None }
}

const TOKENS: Option<Tokens> = Some(Tokens { input: 1_000, output: 200 });

#[test]
fn a_million_tokens_at_two_fifty_cost_two_fifty() {
    let cost = price(2_500_000, 10_000_000).cost(Tokens::new(1_000_000, 0).unwrap()).unwrap();
    assert_eq!(cost, Money::from_pico(2_500_000_000_000));
}

#[test]
fn hits_save_the_whole_baseline_and_calls_what_the_router_chose_cheaper() {
    let ledger = Ledger::new();
    let (dear, cheap) = (Some(price(10, 100)), Some(price(1, 10)));
    for outcome in Outcome::ALL {
        ledger.record(&entry(outcome, dear, cheap, TOKENS)).unwrap();
    }
    let (total, models) = ledger.summary();
    assert_eq!(total.saved.map(Money::pico), [30_000, 30_000, 30_000, 27_000]);
    assert_eq!((total.baseline.pico(), total.actual.pico(), total.unpriced), (120_000, 3_000, 0));
    assert_eq!(models, [(Some("m".to_owned()), total)]);
}

#[test]
fn a_renewal_is_no_request_and_taken_off_what_exact_hits_save() {
    let ledger = Ledger::new();
    let (dear, cheap) = (Some(price(10, 100)), Some(price(1, 10)));
    ledger.record(&entry(Outcome::ExactHit, dear, cheap, TOKENS)).unwrap();
    ledger.record(&entry(Outcome::Renewal, dear, cheap, TOKENS)).unwrap();
    let (total, _) = ledger.summary();
    assert_eq!((total.requests, total.renewals), ([1, 0, 0, 0], 1));
    assert_eq!((total.baseline.pico(), total.actual.pico(), total.unpriced), (30_000, 3_000, 0));
    assert_eq!(total.saved.map(Money::pico), [27_000, 0, 0, 0]);
    assert_eq!(total.tokens.map(|tokens| tokens.input), [1_000, 0, 0, 1_000]);
    // Where the requests that it was made for are in no amount, it is in none either.
    ledger.record(&entry(Outcome::Renewal, None, cheap, TOKENS)).unwrap();
    ledger.record(&entry(Outcome::Renewal, dear, None, TOKENS)).unwrap();
    let (total, _) = ledger.summary();
    assert_eq!((total.actual.pico(), total.unpriced, total.renewals), (3_000, 2, 3));
}

#[test]
fn a_dearer_model_is_a_negative_saving() {
    let ledger = Ledger::new();
    ledger.record(&entry(Outcome::LlmCall, Some(price(1, 1)), Some(price(2, 2)), TOKENS)).unwrap();
    assert_eq!(ledger.summary().0.saved[3], Money::from_pico(-1_200));
}

#[test]
fn what_is_unknown_is_unpriced_and_not_zero() {
    let known = Some(price(1, 1));
    let cases = [
        (Outcome::ExactHit, None, known, TOKENS, 1),
        (Outcome::ExactHit, known, None, TOKENS, 0),
        (Outcome::ExactHit, known, known, None, 1),
        (Outcome::LlmCall, known, None, TOKENS, 1),
        (Outcome::LlmCall, None, known, TOKENS, 1),
        (Outcome::LlmCall, known, known, None, 1),
    ];
    for (outcome, baseline, served, tokens, unpriced) in cases {
        let ledger = Ledger::new();
        ledger.record(&entry(outcome, baseline, served, tokens)).unwrap();
        let (total, _) = ledger.summary();
        assert_eq!(total.unpriced, unpriced, "{outcome:?} {baseline:?} {served:?} {tokens:?}");
        assert_eq!(total.baseline == Money::ZERO, unpriced == 1);
        assert_eq!(total.tokens[outcome as usize], tokens.unwrap_or_default(), "tokens count all the same");
    }
}

#[test]
fn an_entry_that_does_not_fit_leaves_the_books_as_they_were() {
    let ledger = Ledger::new();
    let huge = Some(price(i128::MAX / 1_000, 0));
    let tokens = Some(Tokens { input: 1_000, output: 0 });
    ledger.record(&entry(Outcome::ExactHit, huge, None, tokens)).unwrap();
    let before = ledger.summary();
    let error = ledger.record(&entry(Outcome::SemanticHit, huge, None, tokens)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    assert!(error.to_string().starts_with("an amount does not fit: 1701411834604692317316873037158841"), "{error}");
    assert_eq!(ledger.summary(), before);
    let one = ledger.record(&entry(Outcome::ExactHit, Some(price(i128::MAX, 0)), None, tokens)).unwrap_err();
    assert_eq!(one.kind(), ErrorKind::Ledger);
}

#[test]
fn counts_and_prices_out_of_range_are_refused_with_the_number() {
    let message = |result: Result<Tokens>| result.unwrap_err().to_string();
    assert_eq!(message(Tokens::new(-1, 0)), "input_tokens must be from 0 to 9007199254740992, got -1");
    assert_eq!(
        message(Tokens::new(0, 1 << 60)),
        format!("output_tokens must be from 0 to 9007199254740992, got {}", 1_u64 << 60)
    );
    assert!(Tokens::new(1 << 53, 0).is_ok());
    let error = Price::new(Money::ZERO, Money::from_pico(-5)).unwrap_err();
    assert_eq!(error.to_string(), "output price must be at least 0 pico-dollars a token, got -5");
}

#[derive(Debug, Clone)]
struct Call {
    outcome: usize,
    model: String,
    baseline: Option<(u32, u32)>,
    served: Option<(u32, u32)>,
    tokens: Option<(u32, u32)>,
    estimated: bool,
    user: Option<String>,
    feature: Option<String>,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let pair = || prop::option::weighted(0.8, any::<(u32, u32)>());
    let name = || prop::option::of("[ab]");
    let parts = (0..4_usize, "|x|y", pair(), pair(), pair(), any::<bool>(), name(), name());
    let call = parts.prop_map(|(outcome, model, baseline, served, tokens, estimated, user, feature)| Call {
        outcome,
        model,
        baseline,
        served,
        tokens,
        estimated,
        user,
        feature,
    });
    prop::collection::vec(call, 0..40)
}

fn booked<'a>(calls: impl Iterator<Item = &'a Call>) -> Ledger {
    let ledger = Ledger::new();
    for call in calls {
        let priced = |pair: Option<(u32, u32)>| pair.map(|(input, output)| price(input.into(), output.into()));
        let entry = Entry {
            outcome: Outcome::ALL[call.outcome],
            model: &call.model,
            baseline: priced(call.baseline),
            served: priced(call.served),
            tokens: call.tokens.map(|(input, output)| Tokens { input: input.into(), output: output.into() }),
            estimated: call.estimated,
            user: call.user.as_deref(),
            feature: call.feature.as_deref(),
        };
        ledger.record(&entry).unwrap();
    }
    ledger
}

fn sorted(split: Split) -> BTreeMap<Option<String>, Totals> {
    split.into_iter().collect()
}

proptest! {
    #[test]
    fn the_books_balance_in_every_split_and_any_order(calls in calls()) {
        let (ledger, reversed) = (booked(calls.iter()), booked(calls.iter().rev()));
        let (total, _) = ledger.summary();
        prop_assert_eq!(total, reversed.summary().0);
        for by in [Dimension::Model, Dimension::User, Dimension::Feature] {
            let split = sorted(ledger.split(by));
            prop_assert_eq!(&split, &sorted(reversed.split(by)));
            let mut sum = Totals::default();
            for totals in split.values() {
                let saved: i128 = totals.saved.iter().map(|money| money.pico()).sum();
                prop_assert_eq!(totals.baseline.pico(), totals.actual.pico() + saved);
                sum = sum.plus(totals).unwrap();
            }
            prop_assert_eq!(sum, total);
        }
    }
}
