//! Data of a person, in questions whose answers everybody would see.

use super::words::{Words, is_in};

/// Things of which "my …" says that the answer is about the asker.
const OWN: &str = "\
    account, accounts, balance, address, email, phone, password, pin, ssn, iban, salary, passport, order, orders, \
    invoice, transactions, diagnosis, birthday, username, login";

/// Phrases with which somebody says who they are.
const SAYS_WHO: &str = "\
    my name is, my name s, my date of birth, my social security, my card number, my phone number, \
    my account number, my employee id, my customer id, my member id, my bank account, my checking account, \
    my savings account, my current account, mein konto, mein name ist, ich heiße, meine adresse, meine kontonummer, \
    mi cuenta, mi nombre es, me llamo, mi dirección, mon compte, mon nom est, je m appelle, mon adresse, мой счет, \
    мой счёт, меня зовут, мой адрес, мой номер";

/// What the question holds of a person; None if nothing.
pub(super) fn find(query: &str, words: &Words) -> Option<&'static str> {
    if has_email(query) {
        return Some("an e-mail address");
    }
    if has_iban(query) {
        return Some("the number of a bank account");
    }
    if let Some(what) = number(query) {
        return Some(what);
    }
    let says = |at| {
        (words.get(at) == "my" && is_in(OWN, words.get(at + 1)))
            || SAYS_WHO.split(", ").any(|phrase| words.begins(at, phrase))
    };
    (0..words.len()).any(says).then_some("what belongs to its asker")
}

fn has_email(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let is_name = text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.'));
        let domain =
            text[at + 1..].split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-'))).next().unwrap_or("");
        is_name && domain.trim_matches('.').contains('.')
    })
}

/// A number that stands for a person: digits with spaces, hyphens, dots or brackets between them.
fn number(text: &str) -> Option<&'static str> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '+' | '/');
    text.split(|c: char| !is_part(c)).find_map(run)
}

fn run(run: &str) -> Option<&'static str> {
    let groups: Vec<&str> = run.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let sizes: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    if sizes.windows(3).any(|sizes| sizes == [3, 2, 4]) {
        return Some("a social security number");
    }
    if (0..groups.len()).any(|first| begins_card(&groups[first..])) {
        return Some("the number of a card");
    }
    let is_address = sizes.len() == 4 && sizes.iter().all(|size| *size <= 3) && run.matches('.').count() >= 3;
    let is_list = sizes.len() > 5 || (sizes.iter().all(|size| *size < 3) && !run.trim_start().starts_with('0'));
    match sizes.iter().sum() {
        7 if sizes == [3, 4] && run.contains('-') => Some("a phone number"),
        8..=15 if run.contains('+') && !run.contains('/') => Some("a phone number"),
        9..=19 if !is_address && !is_list => Some("the number of a phone or an account"),
        _ => None,
    }
}

/// Whether the groups begin with the 13 to 19 digits of a card.
fn begins_card(groups: &[&str]) -> bool {
    let mut digits = Vec::new();
    for group in groups.iter().take_while(|group| group.len() > 2) {
        digits.extend(group.bytes().map(|byte| u32::from(byte - b'0')));
        match digits.len() {
            0..13 => {}
            13..=19 if luhn(&digits) => return true,
            _ => return false,
        }
    }
    false
}

/// The check of card numbers (ISO/IEC 7812): from the right every second digit counts twice, and the sum ends in 0.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// An IBAN (ISO 13616), in one piece or as it is printed, in groups of four.
fn has_iban(text: &str) -> bool {
    let mut before = ' ';
    text.char_indices().any(|(at, c)| {
        let begins = c.is_ascii_alphabetic() && !before.is_alphanumeric();
        before = c;
        begins && begins_iban(&text[at..])
    })
}

fn begins_iban(text: &str) -> bool {
    // An IBAN in groups has 42 signs at most; whoever looks further at each word takes time that grows with its square.
    let end = text.char_indices().nth(48).map_or(text.len(), |(end, _)| end);
    let mut signs = Vec::new();
    for group in text[..end].split(' ') {
        let size = group.bytes().take_while(u8::is_ascii_alphanumeric).count();
        signs.extend(group[..size].bytes().map(|byte| byte.to_ascii_uppercase()));
        if is_iban(&signs) {
            return true;
        }
        if size != 4 || group.len() != 4 || signs.len() > 30 {
            break;
        }
    }
    false
}

/// Two letters, two digits, up to 30 signs; the first four moved to the end and letters from A as 10 on, it is 1 modulo
/// 97.
fn is_iban(signs: &[u8]) -> bool {
    let Some((head, rest)) = signs.split_first_chunk::<4>() else { return false };
    let has_head = head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit);
    let remainder = || rest.iter().chain(head).fold(0, |value, sign| modulo_97(value, *sign));
    has_head && (15..=34).contains(&signs.len()) && remainder() == 1
}

fn modulo_97(value: u32, sign: u8) -> u32 {
    if sign.is_ascii_digit() {
        (value * 10 + u32::from(sign - b'0')) % 97
    } else {
        (value * 100 + u32::from(sign - b'A') + 10) % 97
    }
}
