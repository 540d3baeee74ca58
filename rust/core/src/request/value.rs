//! JSON-like data, as requests hold it.

/// JSON-like data. Numbers are compared by value: `1`, `1.0` and `1e0` are one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false; not a number.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A whole number of more than 127 bits, in lower-case hexadecimal digits, with a sign if negative and no leading zeros.
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
