//! Whether letters are a frequent word, and so no misspelling of another one.

/// Sorted, one word a line; `scripts/list_frequent_words.py` says where they come from. What they mean is not looked at.
const WORDS: &str = include_str!("words/frequent.txt");

/// Whether the list has the word, in lower case. Some 15 steps of a binary search in the text itself: it is asked for words
/// only that would else be taken for others.
pub(super) fn is_frequent(word: &str) -> bool {
    let (mut from, mut to) = (0, WORDS.len());
    while from < to {
        let middle = usize::midpoint(from, to);
        let start = WORDS[from..middle].rfind('\n').map_or(from, |at| from + at + 1);
        let end = WORDS[middle..to].find('\n').map_or(to, |at| middle + at);
        match WORDS[start..end].cmp(word) {
            std::cmp::Ordering::Less => from = (end + 1).min(to),
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Greater => to = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_word_is_found_and_nothing_else() {
        let words: Vec<&str> = WORDS.lines().collect();
        assert!(words.is_sorted_by(|x, y| x < y), "not sorted");
        for word in &words {
            assert!(is_frequent(word), "{word}");
            for other in [format!("{word}\n"), format!("{word}~"), word[1..].to_owned(), format!("\n{word}")] {
                assert_eq!(is_frequent(&other), words.contains(&other.as_str()), "{other:?}");
            }
        }
        for other in ["", "\n", "~", "wheather", "acc"] {
            assert!(!is_frequent(other), "{other:?}");
        }
    }
}
