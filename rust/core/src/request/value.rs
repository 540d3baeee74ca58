//! JSON-like data, as requests hold it.

/// Names and values of a map.
pub(super) type Entries = Vec<(String, Value)>;

/// JSON-like data. Numbers are compared by value: `1`, `1.0` and `1e0` are one.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false; not a number.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A whole number of more than 127 bits, in lower-case hexadecimal digits, with a sign if negative and no leading
    /// zeros.
    BigInteger(String),
    /// Any other number.
    Float(f64),
    /// Text; compared in Unicode NFC.
    Text(String),
    /// Bytes; never equal to a text.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Names and values, in any order.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value of `name`, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values in order; none if this is no list.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Whether this is a map whose `name` is the text `text`.
    pub fn says(&self, name: &str, text: &str) -> bool {
        self.get(name).and_then(Value::as_text) == Some(text)
    }
}

/// Removes the entry of `name` and returns its value.
pub(super) fn take(entries: &mut Entries, name: &str) -> Option<Value> {
    entries.iter().position(|(other, _)| other == name).map(|at| entries.remove(at).1)
}

/// Sets `name`, whether or not it is there.
pub(super) fn set(entries: &mut Entries, name: &str, value: Value) {
    match entries.iter_mut().find(|(other, _)| other == name) {
        Some((_, old)) => *old = value,
        None => entries.push((name.into(), value)),
    }
}
