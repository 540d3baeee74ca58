//! English inflections: one key for the forms of a word.

use super::scan::Word;

/// The part of an English word that its inflections share: "cards" and "card", "running" and "run", "organised" and
/// "organize". It is a key and need not be a word. Other scripts come back as they are.
pub(super) fn stem(word: &str) -> Word {
    let mut word = Word::from(word);
    if !word.is_ascii() || word.len() < 3 {
        return word;
    }
    plural(&mut word);
    past(&mut word);
    adverb(&mut word);
    spelling(&mut word);
    word
}

fn plural(word: &mut Word) {
    if !word.ends_with('s') {
        return;
    }
    if word.len() > 4 && word.ends_with("ies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.len() > 4 && ["sses", "xes", "ches", "shes", "zes", "oes"].iter().any(|end| word.ends_with(end)) {
        word.truncate(word.len() - 2);
    } else if !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        word.truncate(word.len() - 1);
    }
}

fn past(word: &mut Word) {
    if !word.ends_with(['d', 'g']) {
        return;
    }
    if word.len() > 4 && word.ends_with("ied") {
        word.truncate(word.len() - 3);
        word.push('y');
        return;
    }
    let base = if word.ends_with("ing") {
        word.len() - 3
    } else if word.ends_with("ed") && !word.ends_with("eed") {
        word.len() - 2
    } else {
        return;
    };
    if base >= 3 && word[..base].bytes().any(|byte| b"aeiouy".contains(&byte)) {
        word.truncate(base);
        if !undouble(word) && base == 3 && closed(word) {
            word.push('e');
        }
    }
}

/// "runn" is "run", but "call" and "pass" are whole; "cancell" is the other spelling of "cancel".
fn undouble(word: &mut Word) -> bool {
    let bytes = word.as_bytes();
    let [.., before, last] = bytes else { return false };
    let doubled = before == last && (b"bdgmnprt".contains(last) || (*last == b'l' && bytes.len() >= 6));
    if doubled {
        word.pop();
    }
    doubled
}

/// "mak" of "making": consonant, vowel, consonant, which lost a silent e. Longer words lose theirs in every form.
fn closed(word: &str) -> bool {
    let vowel = |at: usize| b"aeiou".contains(&word.as_bytes()[at]);
    !vowel(0) && vowel(1) && !vowel(2) && !word.ends_with(['w', 'x', 'y'])
}

fn adverb(word: &mut Word) {
    if word.len() >= 6 && word.ends_with("ly") {
        word.truncate(word.len() - 2);
        if word.ends_with('i') {
            word.pop();
            word.push('y');
        }
    }
}

/// Silent e of words that stay long enough not to become another, British spellings, y for i.
fn spelling(word: &mut Word) {
    if word.len() >= 5 && word.ends_with('e') {
        word.pop();
    }
    if word.len() >= 6 && (word.ends_with("is") || word.ends_with("ys")) {
        word.pop();
        word.push('z');
    }
    if word.len() >= 7
        && let Some(at) = word.as_bytes().windows(7).position(|part| part == b"isation")
    {
        word.replace_range(at..at + 3, "iza");
    }
    if word.len() >= 5 && word.ends_with("our") {
        word.truncate(word.len() - 3);
        word.push_str("or");
    }
    let consonant = word.len() >= 3 && !b"aeiou".contains(&word.as_bytes()[word.len() - 2]);
    if consonant && word.ends_with('y') {
        word.pop();
        word.push('i');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_word_share_a_key() {
        for forms in [
            &["card", "cards"][..],
            &["run", "running", "runs"],
            &["organise", "organize", "organised", "organizing"],
            &["carry", "carries", "carried", "carrying"],
            &["cancel", "cancelled", "canceled", "cancelling"],
            &["colour", "color", "colours"],
            &["make", "making", "makes"],
            &["box", "boxes"],
            &["quick", "quickly"],
            &["happy", "happily"],
            &["organisation", "organization"],
        ] {
            let keys: Vec<Word> = forms.iter().map(|form| stem(form)).collect();
            assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{forms:?}: {keys:?}");
        }
    }

    #[test]
    fn different_words_keep_different_keys() {
        for (a, b) in [
            ("thing", "th"),
            ("need", "ne"),
            ("pass", "pas"),
            ("bus", "bu"),
            ("call", "cal"),
            ("ring", "r"),
            ("time", "tim"),
        ] {
            assert_ne!(stem(a), stem(b));
        }
    }
}
