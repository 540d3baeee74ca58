//! Money and prices as integers.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// An amount in pico-dollars: a trillionth of a dollar, so that one token at any price of today is a whole number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount of so many pico-dollars.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// The amount in pico-dollars.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// `self + other`.
    ///
    /// # Errors
    /// `Ledger` if the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(|| too_large(&format_args!("{} + {}", self.0, other.0)))
    }

    /// `self - other`.
    ///
    /// # Errors
    /// `Ledger` if the difference does not fit.
    pub fn minus(self, other: Self) -> Result<Self> {
        self.0.checked_sub(other.0).map(Self).ok_or_else(|| too_large(&format_args!("{} - {}", self.0, other.0)))
    }

    fn times(self, count: u64) -> Result<Self> {
        let product = self.0.checked_mul(i128::from(count)).map(Self);
        product.ok_or_else(|| too_large(&format_args!("{} * {count}", self.0)))
    }
}

/// Tokens that a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
}

impl Tokens {
    /// More tokens than any call takes: from here on JSON numbers are not exact, so the count is taken for a mistake.
    pub const MAX: u64 = 1 << 53;

    /// Checks what a provider or a caller reported.
    ///
    /// # Errors
    /// `Ledger` if a count is negative or above [`Tokens::MAX`].
    pub fn new(input: i128, output: i128) -> Result<Self> {
        Ok(Self { input: count("input_tokens", input)?, output: count("output_tokens", output)? })
    }

    pub(super) fn plus(self, other: Self) -> Result<Self> {
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or_else(|| too_large(&format_args!("{a} + {b} tokens")));
        Ok(Self { input: sum(self.input, other.input)?, output: sum(self.output, other.output)? })
    }
}

/// What a model asks for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Price {
    input: Money,
    output: Money,
}

impl Price {
    /// A price per token read and per token written: 2.50 dollars per million are 2,500,000 pico-dollars a token.
    ///
    /// # Errors
    /// `Config` if one is negative.
    pub fn new(input: Money, output: Money) -> Result<Self> {
        for (side, price) in [("input", input), ("output", output)] {
            if price < Money::ZERO {
                let message = format!("{side} price must be at least 0 pico-dollars a token, got {}", price.pico());
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        Ok(Self { input, output })
    }

    /// Per token read.
    pub fn input(self) -> Money {
        self.input
    }

    /// Per token written.
    pub fn output(self) -> Money {
        self.output
    }

    /// What `tokens` cost.
    ///
    /// # Errors
    /// `Ledger` if the amount does not fit.
    pub fn cost(self, tokens: Tokens) -> Result<Money> {
        self.input.times(tokens.input)?.plus(self.output.times(tokens.output)?)
    }
}

fn count(name: &str, tokens: i128) -> Result<u64> {
    let fits = u64::try_from(tokens).ok().filter(|&count| count <= Tokens::MAX);
    fits.ok_or_else(|| {
        let message = format!("{name} must be from 0 to {}, got {tokens}", Tokens::MAX);
        Error::new(ErrorKind::Ledger, message)
    })
}

fn too_large(what: &fmt::Arguments<'_>) -> Error {
    Error::new(ErrorKind::Ledger, format!("an amount does not fit: {what}"))
}
