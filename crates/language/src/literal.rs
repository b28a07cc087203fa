//! What a symbol says as a literal.

use eqmesh_egraph::value::{Float, Value};

/// What a symbol says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    /// A literal of `i64`, `f64` or `bool`.
    Value(Value),
    /// An integer that `i64` does not hold.
    Overflow,
    /// Begins like a number and is none.
    Malformed,
    /// A name.
    Name,
}

/// Reads a symbol as egglog does, but for integers that `i64` does not hold (which egglog takes for floats) and names that begin like a number.
pub(crate) fn literal(symbol: &str) -> Literal {
    let unsigned = symbol.strip_prefix(['+', '-']).unwrap_or(symbol);
    match symbol {
        "true" => return Literal::Value(Value::Bool(true)),
        "false" => return Literal::Value(Value::Bool(false)),
        "NaN" => return float(f64::NAN),
        "inf" => return float(f64::INFINITY),
        "-inf" => return float(f64::NEG_INFINITY),
        _ => {}
    }
    let digits = unsigned.trim_start_matches('.');
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Literal::Name;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return symbol
            .parse()
            .map_or(Literal::Overflow, |value| Literal::Value(Value::I64(value)));
    }
    match symbol.parse::<f64>() {
        Ok(value) if value.is_finite() => float(value),
        Ok(_) => Literal::Overflow,
        Err(_) => Literal::Malformed,
    }
}

fn float(value: f64) -> Literal {
    Literal::Value(Value::F64(Float::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_that_are_numbers() {
        let integer = |value| Literal::Value(Value::I64(value));
        let cases = [
            ("1", integer(1)),
            ("-1", integer(-1)),
            ("+7", integer(7)),
            ("9223372036854775807", integer(i64::MAX)),
            ("-9223372036854775808", integer(i64::MIN)),
            ("9223372036854775808", Literal::Overflow),
            ("1e999", Literal::Overflow),
            ("1.5", float(1.5)),
            ("-1.", float(-1.0)),
            (".5", float(0.5)),
            ("1e3", float(1000.0)),
            ("inf", float(f64::INFINITY)),
            ("1/2", Literal::Malformed),
            ("2d", Literal::Malformed),
            ("infinity", Literal::Name),
            ("nan", Literal::Name),
            ("-", Literal::Name),
            ("-x", Literal::Name),
            ("...", Literal::Name),
            ("x1", Literal::Name),
        ];
        for (text, expected) in cases {
            assert_eq!(literal(text), expected, "{text}");
        }
    }
}
