//! Primitive values: what stands in a column that is not an e-class.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The primitive sorts, named as in egglog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ValueType {
    /// The result of a predicate that holds.
    Unit,
    /// `bool`.
    Bool,
    /// `i64`.
    I64,
    /// `f64`, with one canonical NaN.
    F64,
    /// `Rational`: a reduced fraction of two `i64`.
    Rational,
    /// `String`.
    String,
}

impl ValueType {
    /// All primitive sorts.
    pub const ALL: [ValueType; 6] = [
        ValueType::Unit,
        ValueType::Bool,
        ValueType::I64,
        ValueType::F64,
        ValueType::Rational,
        ValueType::String,
    ];

    /// The sort's name in the language.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Unit => "Unit",
            ValueType::Bool => "bool",
            ValueType::I64 => "i64",
            ValueType::F64 => "f64",
            ValueType::Rational => "Rational",
            ValueType::String => "String",
        }
    }

    /// The primitive sort of this name.
    pub fn from_name(name: &str) -> Option<ValueType> {
        ValueType::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// An `f64` that is equal to itself and ordered: by `f64::total_cmp`, all NaNs being one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Float(u64);

impl Float {
    /// The float's value.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Float {
    fn from(value: f64) -> Float {
        Float(if value.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            value.to_bits()
        })
    }
}

impl From<u64> for Float {
    fn from(bits: u64) -> Float {
        Float::from(f64::from_bits(bits))
    }
}

impl From<Float> for u64 {
    fn from(value: Float) -> u64 {
        value.0
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Float) -> std::cmp::Ordering {
        self.get().total_cmp(&other.get())
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.get())
    }
}

/// A reduced fraction with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(i64, i64)", into = "(i64, i64)")]
pub struct Rational {
    numerator: i64,
    denominator: i64,
}

impl Rational {
    /// The fraction in lowest terms. None if the denominator is zero or the result does not fit.
    pub fn new(numerator: i64, denominator: i64) -> Option<Rational> {
        Rational::reduce(i128::from(numerator), i128::from(denominator))
    }

    /// The fraction of two wider integers, in lowest terms. None if the denominator is zero or the result does not fit.
    pub fn reduce(numerator: i128, denominator: i128) -> Option<Rational> {
        if denominator == 0 {
            return None;
        }
        let (mut a, mut b) = (numerator.unsigned_abs(), denominator.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a).ok()? * denominator.signum();
        Some(Rational {
            numerator: i64::try_from(numerator / divisor).ok()?,
            denominator: i64::try_from(denominator / divisor).ok()?,
        })
    }

    /// The numerator, which carries the sign.
    pub fn numerator(self) -> i64 {
        self.numerator
    }

    /// The denominator, greater than zero.
    pub fn denominator(self) -> i64 {
        self.denominator
    }
}

impl TryFrom<(i64, i64)> for Rational {
    type Error = &'static str;

    fn try_from((numerator, denominator): (i64, i64)) -> Result<Rational, Self::Error> {
        match Rational::new(numerator, denominator) {
            Some(r) if r.numerator == numerator && r.denominator == denominator => Ok(r),
            _ => Err("not a fraction in lowest terms"),
        }
    }
}

impl From<Rational> for (i64, i64) {
    fn from(value: Rational) -> (i64, i64) {
        (value.numerator, value.denominator)
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Rational) -> std::cmp::Ordering {
        (i128::from(self.numerator) * i128::from(other.denominator))
            .cmp(&(i128::from(other.numerator) * i128::from(self.denominator)))
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Rational) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A primitive value. Its order is the canonical one: by sort, then by value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// The only value of `Unit`.
    Unit,
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer.
    I64(i64),
    /// A 64-bit float.
    F64(Float),
    /// A fraction.
    Rational(Rational),
    /// A string.
    String(Box<str>),
}

impl Value {
    /// The value's sort.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Unit => ValueType::Unit,
            Value::Bool(_) => ValueType::Bool,
            Value::I64(_) => ValueType::I64,
            Value::F64(_) => ValueType::F64,
            Value::Rational(_) => ValueType::Rational,
            Value::String(_) => ValueType::String,
        }
    }
}

/// As egglog writes it: `1`, `1.0`, `"text"`, `true`, `(rational 1 2)`, `()`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unit => f.write_str("()"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::I64(i) => write!(f, "{i}"),
            Value::F64(x) if x.get().is_nan() => f.write_str("NaN"),
            Value::F64(x) if x.get().is_infinite() => f.write_str(if x.get() > 0.0 { "inf" } else { "-inf" }),
            Value::F64(x) => write!(f, "{:?}", x.get()),
            Value::Rational(r) => write!(f, "(rational {} {})", r.numerator, r.denominator),
            Value::String(s) => {
                f.write_str("\"")?;
                for c in s.chars() {
                    match c {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\t' => f.write_str("\\t")?,
                        '\r' => f.write_str("\\r")?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
        }
    }
}

/// The local number of an interned value. Never leaves the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

/// Interns values, so that a row is 32-bit ids only.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: Vec<Value>,
    ids: BTreeMap<Value, ValueId>,
}

impl Values {
    /// The value's id, made if it is new. O(log n).
    pub fn intern(&mut self, value: &Value) -> ValueId {
        if let Some(&id) = self.ids.get(value) {
            return id;
        }
        let id = ValueId(u32::try_from(self.values.len()).expect("fewer than 2^32 values"));
        self.values.push(value.clone());
        self.ids.insert(value.clone(), id);
        id
    }

    /// Interns what another interner knows beyond this one, with the same ids: this one must be a copy of it as it was. O(new values).
    pub(crate) fn follow(&mut self, other: &Values) {
        for value in &other.values[self.values.len()..] {
            self.intern(value);
        }
    }

    /// How many values are known.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value's id, if it has one.
    pub fn lookup(&self, value: &Value) -> Option<ValueId> {
        self.ids.get(value).copied()
    }

    /// The value of an id of this interner.
    pub fn get(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }
}
