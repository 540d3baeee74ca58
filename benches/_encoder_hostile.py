"""Texts that no user writes and somebody sends: 1,000 of them, the same in every run."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 1_000
LONG = 100_000
SEED = 20_251_126

#: Each is there as it stands.
FIXED = (
    "",
    " ",
    "\n\t\r\v\f",
    "\0",
    "\0\x01\x02\x1f\x7f\x80\x9f",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "[CLS][SEP]a[MASK]b[sep] [UNK",
    "##ing ## #",
    "a" * 99 + " " + "b" * 100 + " " + "c" * 101,
    "\ufeffbyte order mark\ufffe\uffff",
    "\U0010ffff\U000e0001\U000f0000",
    "İstanbul ı ß ẞ ﬁ ǅ Ω ſ K",
    "e\u0301" * 300,
    "a" + "\u0338" * 1_000,
    "z\u0335\u0322a\u0315\u0489l\u0353g\u035co",
    "\u202eevil\u202c \u2066isolated\u2069 \u200b\u200c\u200d\u00ad",
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽" * 20,
    "مرحبا \u200f؟ שלום עולם",
    "中文没有空格也没有标点" * 40,
    "ภาษาไทยไม่มีช่องว่าง हिन्दी 한국어 ㄱㅏ ｆｕｌｌｗｉｄｔｈ",
    "١٢٣ ⅷ ¾ ² ℃ ㎏",
    "' \" ` ´ ‘ ’ “ ” « » — – … ¿ ¡",
    "<script>alert('x')</script>; DROP TABLE users; -- ../../etc/passwd %00 %n ${x} {{x}}",
)

#: Each is repeated to LONG characters.
LONG_UNITS = (
    "x",
    " ",
    ".",
    "word ",
    "中",
    "é",
    "e\u0301",
    "\u0338",
    "\0",
    "🦀",
    "[SEP]",
    "a.",
    "مرحبا ",
    "\n",
    "ﬁ",
    "\u200b",
    "𝔘",
    "x\u200d",
    "가",
    "-a",
)

#: Of these alphabets random texts are drawn.
ALPHABETS = {
    "ASCII": (0x00, 0x7F),
    "Latin and combining marks": (0xA0, 0x370),
    "right-to-left": (0x590, 0x700),
    "Indic and Thai": (0x900, 0xE5C),
    "punctuation and format characters": (0x2000, 0x2070),
    "symbols": (0x2100, 0x2C00),
    "Chinese, Japanese and Korean": (0x3000, 0xD7A4),
    "private use and compatibility": (0xE000, 0xFFFF),
    "emoji": (0x1F300, 0x1FB00),
    "beyond the basic plane": (0x10000, 0x110000),
}


def hostile_texts() -> list[str]:
    """Return COUNT texts: the fixed and the long ones, lone surrogates, and random ones of every alphabet."""
    rng = random.Random(SEED)
    texts = [*FIXED, *((unit * LONG)[:LONG] for unit in LONG_UNITS), *surrogates(rng, 37)]
    makers = [alphabet_text(rng, *bounds) for bounds in ALPHABETS.values()] + [mixed_text(rng)]
    texts += [makers[at % len(makers)]() for at in range(COUNT - len(texts))]
    return texts


def has_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(character) < 0xE000 for character in text)


def surrogates(rng: random.Random, count: int) -> list[str]:
    """Return texts with half of a pair in them, which is not Unicode."""
    halves = [chr(rng.randrange(0xD800, 0xE000)) for _ in range(count)]
    return [f"{'before ' * rng.randrange(3)}{half}{' after' * rng.randrange(3)}" for half in halves]


def alphabet_text(rng: random.Random, first: int, end: int) -> Callable[[], str]:
    """Return what draws a text of 1 to 600 characters from a range, words and all."""

    def draw() -> str:
        points = (rng.randrange(first, end) for _ in range(rng.randrange(1, 600)))
        return "".join(" " if rng.random() < 0.15 else chr(point) for point in points if not 0xD800 <= point < 0xE000)

    return draw


def mixed_text(rng: random.Random) -> Callable[[], str]:
    """Return what draws pieces of the fixed texts in any order, cut anywhere."""

    def draw() -> str:
        pieces = (rng.choice(FIXED) for _ in range(rng.randrange(1, 9)))
        return rng.choice(("", " ", "\n", "how do I ")).join(piece[rng.randrange(9) :][:80] for piece in pieces)

    return draw
