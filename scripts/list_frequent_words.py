"""Writes the words that the guards take for words and not for misspellings of others.

    python scripts/list_frequent_words.py path/to/vocab.txt > rust/core/src/semantic/words/frequent.txt

Source: the vocabulary of BERT (`bert-base-uncased`, Google, Apache-2.0), which MiniLM uses too. It was counted on
Wikipedia and books, so that a misspelling is hardly ever in it. Kept are whole words of at least four letters of a to
z.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

WORD = re.compile("[a-z]{4,}")


def main() -> None:
    """Prints one word a line, in the order of their bytes."""
    if len(sys.argv) != 2:
        sys.exit("usage: list_frequent_words.py VOCAB (one token a line)")
    tokens = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    print("\n".join(sorted(filter(WORD.fullmatch, tokens))))


if __name__ == "__main__":
    main()
