//! JSON as request data, with numbers as they are written.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Value;
use super::canonical::{MAX_DEPTH, deeper};
use crate::error::{Error, ErrorKind, Result};

/// Digits of a whole number at most, as in Python: reading more takes time that grows with their square.
const MAX_DIGITS: usize = 4300;

/// Reads JSON in UTF-8.
///
/// It is read as Python's `json` reads it: whole numbers are exact, others are the nearest f64 (infinite beyond its
/// range), and of two entries with one name the last counts. **Cost:** each level is scanned once for each level around
/// it.
///
/// # Errors
/// `Config` if it is not JSON, if it is nested too deeply, or if a whole number has more than 4,300 digits.
pub(super) fn parse(bytes: &[u8]) -> Result<Value> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(not_json)?;
    nested(raw.get(), MAX_DEPTH)
}

fn nested(text: &str, depth: usize) -> Result<Value> {
    match text.as_bytes().first() {
        Some(b'{') => {
            let depth = deeper(depth)?;
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(not_json)?;
            let entry = |(name, raw): (String, &RawValue)| Ok((name, nested(raw.get(), depth)?));
            entries.into_iter().map(entry).collect::<Result<_>>().map(Value::Map)
        }
        Some(b'[') => {
            let depth = deeper(depth)?;
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
            items.into_iter().map(|raw| nested(raw.get(), depth)).collect::<Result<_>>().map(Value::List)
        }
        Some(b'"') => serde_json::from_str(text).map(Value::Text).map_err(not_json),
        Some(b't' | b'f') => Ok(Value::Bool(text == "true")),
        Some(b'n') => Ok(Value::Null),
        _ => number(text),
    }
}

/// A number that was found to be written as JSON asks for.
fn number(text: &str) -> Result<Value> {
    if text.contains(['.', 'e', 'E']) {
        return text.parse().map(Value::Float).map_err(|_| error(&format!("{text} is no number")));
    }
    if let Ok(number) = text.parse() {
        return Ok(Value::Integer(number));
    }
    let digits = text.trim_start_matches('-');
    if digits.len() > MAX_DIGITS {
        return Err(error(&format!("a whole number has {} digits, at most {MAX_DIGITS} are read", digits.len())));
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    Ok(Value::BigInteger(format!("{sign}{}", hexadecimal(digits))))
}

/// Decimal digits as hexadecimal ones: `"255"` → `"ff"`.
fn hexadecimal(digits: &str) -> String {
    // The number in units of 2^32, the least significant first.
    let mut words: Vec<u32> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = u64::from(digit - b'0');
        for word in &mut words {
            carry += u64::from(*word) * 10;
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            words.push(carry as u32);
        }
    }
    let mut words = words.into_iter().rev();
    let first = format!("{:x}", words.next().unwrap_or(0));
    words.fold(first, |text, word| text + &format!("{word:08x}"))
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn not_json(failure: serde_json::Error) -> Error {
    error(&failure.to_string())
}

fn error(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the body is not JSON that can be read: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Value {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_are_what_they_are_written_as() {
        assert_eq!(parsed("1"), Value::Integer(1));
        assert_eq!(parsed("-0"), Value::Integer(0));
        assert_eq!(parsed("1e0"), Value::Float(1.0));
        assert_eq!(parsed("0.10"), Value::Float(0.1));
        assert_eq!(parsed("1e400"), Value::Float(f64::INFINITY));
        assert_eq!(parsed("18446744073709551616"), Value::Integer(1 << 64));
        let large = Value::BigInteger("80000000000000000000000000000000".into());
        assert_eq!(parsed("170141183460469231731687303715884105728"), large);
        let negative = Value::BigInteger("-80000000000000000000000000000001".into());
        assert_eq!(parsed("-170141183460469231731687303715884105729"), negative);
    }

    #[test]
    fn the_last_of_entries_with_one_name_counts() {
        assert_eq!(parsed(r#"{"a": 1, "\u0061": 2}"#), Value::Map(vec![("a".into(), Value::Integer(2))]));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in ["", "{", "nul", "NaN", "01", "1.", "\"\\ud800\"", "[1,]", "1 2", &deep, &"9".repeat(4301)] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().kind(), ErrorKind::Config, "{text:.20}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    proptest! {
        #[test]
        fn whole_numbers_keep_every_digit(words in prop::collection::vec(any::<u32>(), 1..8)) {
            // Written in hexadecimal and, by repeated division, in decimal digits.
            let hex = words.iter().skip_while(|word| **word == 0).enumerate().fold(String::new(), |text, (at, word)| {
                text + &if at == 0 { format!("{word:x}") } else { format!("{word:08x}") }
            });
            let (mut left, mut decimal) = (words.clone(), String::new());
            while left.iter().any(|word| *word > 0) {
                let remainder = left.iter_mut().fold(0u64, |rest, word| {
                    let number = rest << 32 | u64::from(*word);
                    *word = (number / 10) as u32;
                    number % 10
                });
                decimal.insert(0, char::from(b'0' + remainder as u8));
            }
            prop_assume!(!decimal.is_empty());
            prop_assert_eq!(hexadecimal(&decimal), hex);
        }

        #[test]
        fn floats_are_the_nearest(number in any::<f64>().prop_filter("JSON has no others", |number| number.is_finite())) {
            prop_assert_eq!(parsed(&format!("{number:e}")), Value::Float(number));
        }

        #[test]
        fn texts_come_back(text in "\\PC{0,20}") {
            prop_assert_eq!(parsed(&serde_json::to_string(&text).unwrap()), Value::Text(text));
        }
    }
}
