//! Primitive values as the language writes them.

use std::fmt;

/// A primitive value. Floats are equal if their bits are (there is one NaN).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Unit,
    Bool(bool),
    I64(i64),
    /// Bits.
    F64(u64),
    /// Numerator and denominator, in lowest terms, the denominator above zero.
    Rational(i64, i64),
    Text(String),
}

impl Value {
    pub(crate) fn float(value: f64) -> Value {
        Value::F64(if value.is_nan() {
            f64::NAN.to_bits()
        } else {
            value.to_bits()
        })
    }

    /// The fraction in lowest terms. None if the denominator is zero or the result does not fit.
    pub(crate) fn rational(numerator: i128, denominator: i128) -> Option<Value> {
        if denominator == 0 {
            return None;
        }
        let (mut a, mut b) = (numerator.unsigned_abs(), denominator.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a).ok()? * denominator.signum();
        Some(Value::Rational(
            i64::try_from(numerator / divisor).ok()?,
            i64::try_from(denominator / divisor).ok()?,
        ))
    }

    /// What a symbol says as a literal; none if it is a name.
    pub(crate) fn of_symbol(symbol: &str) -> Option<Value> {
        match symbol {
            "true" => return Some(Value::Bool(true)),
            "false" => return Some(Value::Bool(false)),
            "NaN" => return Some(Value::float(f64::NAN)),
            "inf" => return Some(Value::float(f64::INFINITY)),
            "-inf" => return Some(Value::float(f64::NEG_INFINITY)),
            _ => {}
        }
        let unsigned = symbol.strip_prefix(['+', '-']).unwrap_or(symbol);
        if !unsigned
            .trim_start_matches('.')
            .starts_with(|c: char| c.is_ascii_digit())
        {
            return None;
        }
        if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return symbol.parse().ok().map(Value::I64);
        }
        symbol
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .map(Value::float)
    }

    /// The name of its sort.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Value::Unit => "Unit",
            Value::Bool(_) => "bool",
            Value::I64(_) => "i64",
            Value::F64(_) => "f64",
            Value::Rational(..) => "Rational",
            Value::Text(_) => "String",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unit => f.write_str("()"),
            Value::Bool(own) => write!(f, "{own}"),
            Value::I64(own) => write!(f, "{own}"),
            Value::F64(bits) => match f64::from_bits(*bits) {
                own if own.is_nan() => f.write_str("NaN"),
                f64::INFINITY => f.write_str("inf"),
                f64::NEG_INFINITY => f.write_str("-inf"),
                own => write!(f, "{own:?}"),
            },
            Value::Rational(numerator, denominator) => write!(f, "(rational {numerator} {denominator})"),
            Value::Text(own) => {
                f.write_str("\"")?;
                for c in own.chars() {
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
