//! Primitive functions: what the language's documentation says of them, written anew. Which one a name means is told by the values that it is given.

use std::cmp::Ordering;

use crate::value::Value;
use crate::value::Value::{Bool, F64, I64, Rational, Text, Unit};

/// The longest string that a function makes.
const MAX_STRING: usize = 16 << 20;

/// The most arguments of `+` on strings and of `or`.
const MAX_VARIADIC: usize = 8;

/// Whether there is a function of this name.
pub(crate) fn is_primitive(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "+",
        "-",
        "*",
        "/",
        "%",
        "&",
        "|",
        "^",
        "<<",
        ">>",
        "not-i64",
        "log2",
        "abs",
        "min",
        "max",
        "<",
        ">",
        "<=",
        ">=",
        "!=",
        "bool-=",
        "bool-!=",
        "bool-<",
        "bool->",
        "bool-<=",
        "bool->=",
        "to-f64",
        "to-i64",
        "to-string",
        "neg",
        "exp",
        "log",
        "sqrt",
        "cbrt",
        "replace",
        "count-matches",
        "not",
        "and",
        "or",
        "xor",
        "=>",
        "guard",
        "rational",
        "numer",
        "denom",
        "floor",
        "ceil",
        "round",
        "pow",
    ];
    NAMES.contains(&name)
}

/// Applies a function; none where it is undefined, or where there is none of that name on such values.
pub(crate) fn apply(name: &str, arguments: &[Value]) -> Option<Value> {
    match (name, arguments) {
        ("!=", [a, b]) => holds(a.sort() == b.sort() && *a != Unit && a != b),
        ("bool-!=", [a, b]) if a.sort() == b.sort() && *a != Unit => Some(Bool(a != b)),
        ("+", [Text(_), ..]) if arguments.len() <= MAX_VARIADIC => concatenation(arguments),
        ("or", [Bool(_), ..]) if arguments.len() <= MAX_VARIADIC => disjunction(arguments),
        (_, [I64(a)]) => integer(name, *a),
        (_, [I64(a), I64(b)]) => integers(name, *a, *b),
        (_, [F64(a)]) => float(name, f64::from_bits(*a)),
        (_, [F64(a), F64(b)]) => floats(name, f64::from_bits(*a), f64::from_bits(*b)),
        (_, [Rational(n, d)]) => fraction(name, i128::from(*n), i128::from(*d)),
        (_, [Rational(a, b), Rational(c, d)]) => {
            fractions(name, (i128::from(*a), i128::from(*b)), (i128::from(*c), i128::from(*d)))
        }
        ("guard", [Bool(a)]) => holds(*a),
        ("not", [Bool(a)]) => Some(Bool(!a)),
        ("and", [Bool(a), Bool(b)]) => Some(Bool(*a && *b)),
        ("xor", [Bool(a), Bool(b)]) => Some(Bool(a != b)),
        ("=>", [Bool(a), Bool(b)]) => Some(Bool(!a || *b)),
        ("count-matches", [Text(a), Text(b)]) => i64::try_from(a.matches(b.as_str()).count()).ok().map(I64),
        ("replace", [Text(a), Text(b), Text(c)]) => replacement(a, b, c),
        _ => None,
    }
}

fn holds(condition: bool) -> Option<Value> {
    condition.then_some(Unit)
}

/// What `<`, `>`, `<=` and `>=` say of an order.
fn comparison(name: &str, order: Ordering) -> Option<bool> {
    Some(match name {
        "<" => order.is_lt(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        _ => return None,
    })
}

fn integer(name: &str, a: i64) -> Option<Value> {
    match name {
        "not-i64" => Some(I64(!a)),
        "log2" => a.checked_ilog2().map(|log| I64(log.into())),
        "abs" => a.checked_abs().map(I64),
        "to-f64" => Some(Value::float(a as f64)),
        "to-string" => Some(Text(a.to_string())),
        _ => None,
    }
}

fn integers(name: &str, a: i64, b: i64) -> Option<Value> {
    if let Some(order) = comparison(name, a.cmp(&b)) {
        return holds(order);
    }
    let bits = || u32::try_from(b).ok().filter(|&bits| bits < 64);
    let result = match name {
        "+" => a.checked_add(b)?,
        "-" => a.checked_sub(b)?,
        "*" => a.checked_mul(b)?,
        "/" => a.checked_div(b)?,
        "%" => a.checked_rem(b)?,
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "<<" => a << bits()?,
        ">>" => a >> bits()?,
        "min" => a.min(b),
        "max" => a.max(b),
        "bool-=" => return Some(Bool(a == b)),
        "rational" => return Value::rational(a.into(), b.into()),
        _ => return comparison(name.strip_prefix("bool-")?, a.cmp(&b)).map(Bool),
    };
    Some(I64(result))
}

fn float(name: &str, a: f64) -> Option<Value> {
    let result = match name {
        "neg" => -a,
        "abs" => a.abs(),
        "exp" => libm::exp(a),
        "log" if a > 0.0 || a.is_nan() => libm::log(a),
        "sqrt" if a >= 0.0 || a.is_nan() => libm::sqrt(a),
        "to-i64" => return Some(I64(a as i64)),
        "to-string" => return Some(Text(format!("{a:?}"))),
        _ => return None,
    };
    Some(Value::float(result))
}

fn floats(name: &str, a: f64, b: f64) -> Option<Value> {
    // Numeric, so that -0.0 is 0.0; NaN is above all and equal to itself.
    let order = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    if let Some(order) = comparison(name, order) {
        return holds(order);
    }
    // For `min` and `max` -0.0 is less than 0.0, so that they say the same of (a, b) and (b, a). There is one NaN, which is positive.
    let canonical = |x: f64| if x.is_nan() { f64::NAN } else { x };
    let total = canonical(a).total_cmp(&canonical(b));
    let result = match name {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" if b != 0.0 => a / b,
        "%" if b != 0.0 => libm::fmod(a, b),
        "^" => libm::pow(a, b),
        "min" => {
            if total.is_le() {
                a
            } else {
                b
            }
        }
        "max" => {
            if total.is_ge() {
                a
            } else {
                b
            }
        }
        _ => return None,
    };
    Some(Value::float(result))
}

fn fraction(name: &str, n: i128, d: i128) -> Option<Value> {
    match name {
        "numer" => i64::try_from(n).ok().map(I64),
        "denom" => i64::try_from(d).ok().map(I64),
        "neg" => Value::rational(-n, d),
        "abs" => Value::rational(n.abs(), d),
        "floor" => Value::rational(n.div_euclid(d), 1),
        "ceil" => Value::rational(-(-n).div_euclid(d), 1),
        // Half-way cases away from zero.
        "round" => Value::rational(n.signum() * ((2 * n.abs() + d) / (2 * d)), 1),
        "log" if n == 1 && d == 1 => Value::rational(0, 1),
        "sqrt" => Value::rational(root(n, 2).filter(|&root| root > 0)?, root(d, 2)?),
        "cbrt" => Value::rational(root(n, 3)?, root(d, 3)?),
        "to-f64" => Some(Value::float(nearest(n, d))),
        "to-i64" if d == 1 => i64::try_from(n).ok().map(I64),
        _ => None,
    }
}

fn fractions(name: &str, (a, b): (i128, i128), (c, d): (i128, i128)) -> Option<Value> {
    let order = (a * d).cmp(&(c * b));
    if let Some(order) = comparison(name, order) {
        return holds(order);
    }
    match name {
        "+" => Value::rational(a * d + c * b, b * d),
        "-" => Value::rational(a * d - c * b, b * d),
        "*" => Value::rational(a * c, b * d),
        "/" => Value::rational(a * d, b * c),
        "min" if order.is_le() => Value::rational(a, b),
        "max" if order.is_ge() => Value::rational(a, b),
        "min" | "max" => Value::rational(c, d),
        "pow" if d == 1 => power((a, b), c),
        _ => None,
    }
}

/// Integral powers, with `0^0 = 1`.
fn power((n, d): (i128, i128), exponent: i128) -> Option<Value> {
    if exponent < 0 {
        return if n == 0 {
            None
        } else {
            power((d * n.signum(), n.abs()), -exponent)
        };
    }
    let raise = |base: i128| -> Option<i128> {
        match base {
            0 | 1 if exponent > 0 => Some(base),
            -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
            _ => base.checked_pow(u32::try_from(exponent).ok()?),
        }
    };
    Value::rational(raise(n)?, raise(d)?)
}

/// The exact root of a degree, if there is one, by bisection.
fn root(n: i128, degree: u32) -> Option<i128> {
    if n < 0 {
        return if degree % 2 == 1 {
            root(-n, degree).map(|root| -root)
        } else {
            None
        };
    }
    // Numerators and denominators are below 2^63, and so roots below 2^32.
    let (mut low, mut high) = (0i128, 1i128 << 32);
    while low < high {
        let middle = i128::midpoint(low, high);
        if middle.pow(degree) < n {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low.pow(degree) == n).then_some(low)
}

/// The nearest float, ties to even: the quotient to more bits than a float has, rounded once.
fn nearest(n: i128, d: i128) -> f64 {
    let (magnitude, d) = (n.unsigned_abs(), d.unsigned_abs());
    if magnitude == 0 {
        return 0.0;
    }
    // The quotient with 64 bits or more; whatever is left makes its last bit odd.
    let shift = magnitude.leading_zeros();
    let shifted = magnitude << shift;
    let quotient = (shifted / d) | u128::from(shifted % d != 0);
    let result = quotient as f64 / 2f64.powi(shift as i32);
    if n < 0 { -result } else { result }
}

fn concatenation(arguments: &[Value]) -> Option<Value> {
    let mut whole = String::new();
    for argument in arguments {
        let Text(part) = argument else { return None };
        whole.push_str(part);
    }
    (whole.len() <= MAX_STRING).then_some(Text(whole))
}

fn disjunction(arguments: &[Value]) -> Option<Value> {
    let mut any = false;
    for argument in arguments {
        let Bool(part) = argument else { return None };
        any |= part;
    }
    Some(Bool(any))
}

fn replacement(text: &str, from: &str, to: &str) -> Option<Value> {
    let count = text.matches(from).count();
    let length = (text.len() - count * from.len()).checked_add(count.checked_mul(to.len())?)?;
    (length <= MAX_STRING).then(|| Text(text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use eqmesh_egraph::primitive::Primitive;
    use eqmesh_egraph::value::{Float, Rational as Fraction, Value as Theirs, ValueType};
    use proptest::prelude::*;

    use super::*;

    fn integers() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -9i64..10,
            1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX, 1 << 53, (1 << 53) + 1]),
            1 => any::<i64>(),
        ]
    }

    fn value(sort: ValueType) -> BoxedStrategy<Theirs> {
        let float = prop_oneof![
            3 => (-20i32..20).prop_map(|n| f64::from(n) / 4.0),
            1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 1e300]),
            1 => any::<f64>(),
        ];
        match sort {
            ValueType::Unit => Just(Theirs::Unit).boxed(),
            ValueType::Bool => any::<bool>().prop_map(Theirs::Bool).boxed(),
            ValueType::I64 => integers().prop_map(Theirs::I64).boxed(),
            ValueType::F64 => float.prop_map(|x| Theirs::F64(Float::from(x))).boxed(),
            ValueType::Rational => (integers(), integers())
                .prop_filter_map("no fraction", |(n, d)| Fraction::new(n, d).map(Theirs::Rational))
                .boxed(),
            ValueType::String => "[ab]{0,4}".prop_map(|text| Theirs::String(text.into())).boxed(),
        }
    }

    fn ours(value: &Theirs) -> Value {
        match value {
            Theirs::Unit => Unit,
            Theirs::Bool(own) => Bool(*own),
            Theirs::I64(own) => I64(*own),
            Theirs::F64(own) => Value::float(own.get()),
            Theirs::Rational(own) => Rational(own.numerator(), own.denominator()),
            Theirs::String(own) => Text(own.to_string()),
        }
    }

    fn call() -> impl Strategy<Value = (Primitive, Vec<Theirs>)> {
        prop::sample::select(Primitive::all().collect::<Vec<_>>()).prop_flat_map(|primitive| {
            let arguments: Vec<_> = primitive.arguments().iter().map(|&sort| value(sort)).collect();
            (Just(primitive), arguments)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn they_compute_what_the_engine_computes((primitive, arguments) in call()) {
            let theirs = primitive.apply(&arguments.iter().collect::<Vec<_>>());
            let own: Vec<Value> = arguments.iter().map(ours).collect();
            prop_assert!(is_primitive(primitive.name()));
            let result = apply(primitive.name(), &own);
            prop_assert_eq!(&result, &theirs.as_ref().map(ours));
            if let (Some(result), Some(theirs)) = (result, theirs) {
                // And it is written, and read, alike.
                prop_assert_eq!(result.to_string(), theirs.to_string());
                if let Some(read) = Value::of_symbol(&result.to_string()) {
                    prop_assert_eq!(read, result);
                }
            }
        }
    }
}
