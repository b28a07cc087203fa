//! Primitive functions: egglog's built-in operations on `i64`, `f64`, `String`, `bool` and `Rational`.
//!
//! Every operation is a function of its arguments alone and has the same result on every platform: integers are checked, and what
//! IEEE 754 leaves open (`exp`, `log`, `^`) is computed by `libm`, not by the platform
//! (so the last digit may differ from egglog's). `Rational` is a fraction of two `i64`, as in
//! egglog-experimental, with the operations that egglog 3.0 has on `BigRat`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Float, Rational, Value, ValueType};

/// The longest string that an operation makes, in bytes; a longer result is undefined.
pub const MAX_STRING: usize = 16 << 20;

/// The most arguments that the variadic operations take: `+` on `String` and `or`.
pub const MAX_VARIADIC: usize = 8;

/// A primitive function at one choice of argument sorts, identified by name and argument sorts. Written, and serialised, as `+(i64,i64)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Primitive(u16);

impl Primitive {
    /// The function of this name on arguments of these sorts.
    pub fn resolve(name: &str, arguments: &[ValueType]) -> Option<Primitive> {
        let index = OPERATIONS
            .iter()
            .position(|own| own.name == name && own.arguments == arguments)?;
        Some(Primitive(index as u16))
    }

    /// All functions of this name.
    pub fn named(name: &str) -> impl Iterator<Item = Primitive> {
        let named = OPERATIONS.iter().enumerate().filter(move |(_, own)| own.name == name);
        named.map(|(index, _)| Primitive(index as u16))
    }

    /// All functions.
    pub fn all() -> impl Iterator<Item = Primitive> {
        (0..OPERATIONS.len()).map(|index| Primitive(index as u16))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.operation().name
    }

    /// The sorts of its arguments.
    pub fn arguments(self) -> &'static [ValueType] {
        self.operation().arguments
    }

    /// The sort of its result (`Unit` for a predicate that holds or is undefined).
    pub fn result(self) -> ValueType {
        self.operation().result
    }

    /// Applies it. None where it is undefined: overflow, division by zero, a predicate that does not hold; or where the arguments are
    /// not of the sorts that it takes.
    pub fn apply(self, arguments: &[&Value]) -> Option<Value> {
        (self.operation().function)(arguments)
    }

    fn operation(self) -> &'static Operation {
        &OPERATIONS[usize::from(self.0)]
    }
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name())?;
        for (i, sort) in self.arguments().iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "," }, sort.name())?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no primitive function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a primitive function")]
pub struct UnknownPrimitive(String);

impl FromStr for Primitive {
    type Err = UnknownPrimitive;

    fn from_str(text: &str) -> Result<Primitive, UnknownPrimitive> {
        let parse = || {
            let (name, sorts) = text.strip_suffix(')')?.split_once('(')?;
            let sorts: Option<Vec<ValueType>> = sorts.split(',').map(ValueType::from_name).collect();
            Primitive::resolve(name, &sorts?)
        };
        parse().ok_or_else(|| UnknownPrimitive(text.to_owned()))
    }
}

impl Serialize for Primitive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Primitive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Primitive, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

struct Operation {
    name: &'static str,
    arguments: &'static [ValueType],
    result: ValueType,
    function: fn(&[&Value]) -> Option<Value>,
}

/// A Rust type that values of one primitive sort are read as.
trait Read<'a>: Sized {
    const SORT: ValueType;
    fn read(value: &'a Value) -> Option<Self>;
}

/// A Rust type that is written as a value of one primitive sort.
trait Write {
    const SORT: ValueType;
    fn write(self) -> Value;
}

macro_rules! native {
    ($($type:ty, $sort:ident, $pattern:pat => $read:expr, $own:ident => $write:expr;)*) => {$(
        impl<'a> Read<'a> for $type {
            const SORT: ValueType = ValueType::$sort;
            fn read(value: &'a Value) -> Option<Self> {
                match value { $pattern => Some($read), _ => None }
            }
        }
        impl Write for $type {
            const SORT: ValueType = ValueType::$sort;
            fn write(self) -> Value { let $own = self; $write }
        }
    )*};
}

native! {
    bool, Bool, Value::Bool(b) => *b, b => Value::Bool(b);
    i64, I64, Value::I64(i) => *i, i => Value::I64(i);
    f64, F64, Value::F64(x) => x.get(), x => Value::F64(Float::from(x));
    Rational, Rational, Value::Rational(r) => *r, r => Value::Rational(r);
}

impl<'a> Read<'a> for &'a str {
    const SORT: ValueType = ValueType::String;
    fn read(value: &'a Value) -> Option<&'a str> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Write for String {
    const SORT: ValueType = ValueType::String;
    fn write(self) -> Value {
        Value::String(self.into())
    }
}

impl Write for () {
    const SORT: ValueType = ValueType::Unit;
    fn write(self) -> Value {
        Value::Unit
    }
}

macro_rules! operations {
    ($($name:literal ($($argument:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {
        &[
            $(Operation {
                name: $name,
                arguments: &[$(<$type as Read<'static>>::SORT),*],
                result: <$result as Write>::SORT,
                function: |arguments| {
                    let &[$($argument),*] = arguments else { return None };
                    $(let $argument = <$type as Read<'_>>::read($argument)?;)*
                    let result: Option<$result> = $body;
                    result.map(Write::write)
                },
            },)*
            concatenation(1), concatenation(2), concatenation(3), concatenation(4),
            concatenation(5), concatenation(6), concatenation(7), concatenation(8),
            disjunction(1), disjunction(2), disjunction(3), disjunction(4),
            disjunction(5), disjunction(6), disjunction(7), disjunction(8),
        ]
    };
}

const fn concatenation(count: usize) -> Operation {
    const SORTS: &[ValueType] = &[ValueType::String; MAX_VARIADIC];
    Operation {
        name: "+",
        arguments: SORTS.split_at(count).0,
        result: ValueType::String,
        function: concatenate,
    }
}

const fn disjunction(count: usize) -> Operation {
    const SORTS: &[ValueType] = &[ValueType::Bool; MAX_VARIADIC];
    Operation {
        name: "or",
        arguments: SORTS.split_at(count).0,
        result: ValueType::Bool,
        function: disjoin,
    }
}

/// The order of the table is of no consequence outside: a primitive is serialised by name and sorts.
static OPERATIONS: &[Operation] = operations! {
    "+" (a: i64, b: i64) -> i64 = a.checked_add(b);
    "-" (a: i64, b: i64) -> i64 = a.checked_sub(b);
    "*" (a: i64, b: i64) -> i64 = a.checked_mul(b);
    "/" (a: i64, b: i64) -> i64 = a.checked_div(b);
    "%" (a: i64, b: i64) -> i64 = a.checked_rem(b);
    "&" (a: i64, b: i64) -> i64 = Some(a & b);
    "|" (a: i64, b: i64) -> i64 = Some(a | b);
    "^" (a: i64, b: i64) -> i64 = Some(a ^ b);
    "<<" (a: i64, b: i64) -> i64 = u32::try_from(b).ok().and_then(|b| a.checked_shl(b));
    ">>" (a: i64, b: i64) -> i64 = u32::try_from(b).ok().and_then(|b| a.checked_shr(b));
    "not-i64" (a: i64) -> i64 = Some(!a);
    "log2" (a: i64) -> i64 = a.checked_ilog2().map(i64::from);
    "abs" (a: i64) -> i64 = a.checked_abs();
    "min" (a: i64, b: i64) -> i64 = Some(a.min(b));
    "max" (a: i64, b: i64) -> i64 = Some(a.max(b));
    "<" (a: i64, b: i64) -> () = (a < b).then_some(());
    ">" (a: i64, b: i64) -> () = (a > b).then_some(());
    "<=" (a: i64, b: i64) -> () = (a <= b).then_some(());
    ">=" (a: i64, b: i64) -> () = (a >= b).then_some(());
    "!=" (a: i64, b: i64) -> () = (a != b).then_some(());
    "bool-=" (a: i64, b: i64) -> bool = Some(a == b);
    "bool-!=" (a: i64, b: i64) -> bool = Some(a != b);
    "bool-<" (a: i64, b: i64) -> bool = Some(a < b);
    "bool->" (a: i64, b: i64) -> bool = Some(a > b);
    "bool-<=" (a: i64, b: i64) -> bool = Some(a <= b);
    "bool->=" (a: i64, b: i64) -> bool = Some(a >= b);
    "to-f64" (a: i64) -> f64 = Some(a as f64);
    "to-string" (a: i64) -> String = Some(a.to_string());

    "+" (a: f64, b: f64) -> f64 = Some(a + b);
    "-" (a: f64, b: f64) -> f64 = Some(a - b);
    "*" (a: f64, b: f64) -> f64 = Some(a * b);
    "/" (a: f64, b: f64) -> f64 = (b != 0.0).then(|| a / b);
    "%" (a: f64, b: f64) -> f64 = (b != 0.0).then(|| libm::fmod(a, b));
    "^" (a: f64, b: f64) -> f64 = Some(libm::pow(a, b));
    "neg" (a: f64) -> f64 = Some(-a);
    "abs" (a: f64) -> f64 = Some(a.abs());
    "exp" (a: f64) -> f64 = Some(libm::exp(a));
    "log" (a: f64) -> f64 = (a > 0.0 || a.is_nan()).then(|| libm::log(a));
    "sqrt" (a: f64) -> f64 = (a >= 0.0 || a.is_nan()).then(|| libm::sqrt(a));
    "min" (a: f64, b: f64) -> f64 = Some(Float::from(a).min(Float::from(b)).get());
    "max" (a: f64, b: f64) -> f64 = Some(Float::from(a).max(Float::from(b)).get());
    "<" (a: f64, b: f64) -> () = (compare(a, b) == Ordering::Less).then_some(());
    ">" (a: f64, b: f64) -> () = (compare(a, b) == Ordering::Greater).then_some(());
    "<=" (a: f64, b: f64) -> () = (compare(a, b) != Ordering::Greater).then_some(());
    ">=" (a: f64, b: f64) -> () = (compare(a, b) != Ordering::Less).then_some(());
    "!=" (a: f64, b: f64) -> () = (Float::from(a) != Float::from(b)).then_some(());
    "bool-!=" (a: f64, b: f64) -> bool = Some(Float::from(a) != Float::from(b));
    "to-i64" (a: f64) -> i64 = Some(a as i64);
    "to-string" (a: f64) -> String = Some(format!("{a:?}"));

    "replace" (a: &str, b: &str, c: &str) -> String = replace(a, b, c);
    "count-matches" (a: &str, b: &str) -> i64 = i64::try_from(a.matches(b).count()).ok();
    "!=" (a: &str, b: &str) -> () = (a != b).then_some(());
    "bool-!=" (a: &str, b: &str) -> bool = Some(a != b);

    "not" (a: bool) -> bool = Some(!a);
    "and" (a: bool, b: bool) -> bool = Some(a && b);
    "xor" (a: bool, b: bool) -> bool = Some(a ^ b);
    "=>" (a: bool, b: bool) -> bool = Some(!a || b);
    "guard" (a: bool) -> () = a.then_some(());
    "!=" (a: bool, b: bool) -> () = (a != b).then_some(());
    "bool-!=" (a: bool, b: bool) -> bool = Some(a != b);

    "rational" (a: i64, b: i64) -> Rational = Rational::new(a, b);
    "numer" (a: Rational) -> i64 = Some(a.numerator());
    "denom" (a: Rational) -> i64 = Some(a.denominator());
    "+" (a: Rational, b: Rational) -> Rational = sum(a, b, 1);
    "-" (a: Rational, b: Rational) -> Rational = sum(a, b, -1);
    "*" (a: Rational, b: Rational) -> Rational = Rational::reduce(wide(a).0 * wide(b).0, wide(a).1 * wide(b).1);
    "/" (a: Rational, b: Rational) -> Rational = Rational::reduce(wide(a).0 * wide(b).1, wide(a).1 * wide(b).0);
    "neg" (a: Rational) -> Rational = Rational::reduce(-wide(a).0, wide(a).1);
    "abs" (a: Rational) -> Rational = Rational::reduce(wide(a).0.abs(), wide(a).1);
    "min" (a: Rational, b: Rational) -> Rational = Some(a.min(b));
    "max" (a: Rational, b: Rational) -> Rational = Some(a.max(b));
    "floor" (a: Rational) -> Rational = integer(wide(a).0.div_euclid(wide(a).1));
    "ceil" (a: Rational) -> Rational = integer(-(-wide(a).0).div_euclid(wide(a).1));
    "round" (a: Rational) -> Rational = round(a);
    "pow" (a: Rational, b: Rational) -> Rational = power(a, b);
    "log" (a: Rational) -> Rational = (a.numerator() == 1 && a.denominator() == 1).then(|| integer(0)).flatten();
    "sqrt" (a: Rational) -> Rational = square_root(a);
    "cbrt" (a: Rational) -> Rational = cube_root(a);
    "<" (a: Rational, b: Rational) -> () = (a < b).then_some(());
    ">" (a: Rational, b: Rational) -> () = (a > b).then_some(());
    "<=" (a: Rational, b: Rational) -> () = (a <= b).then_some(());
    ">=" (a: Rational, b: Rational) -> () = (a >= b).then_some(());
    "!=" (a: Rational, b: Rational) -> () = (a != b).then_some(());
    "bool-!=" (a: Rational, b: Rational) -> bool = Some(a != b);
    "to-f64" (a: Rational) -> f64 = Some(nearest(a));
    "to-i64" (a: Rational) -> i64 = (a.denominator() == 1).then(|| a.numerator());
};

/// The order of egglog's floats: numeric, so that -0.0 is equal to 0.0, with NaN above all and equal to itself.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn concatenate(arguments: &[&Value]) -> Option<Value> {
    let parts: Vec<&str> = arguments.iter().map(|value| Read::read(value)).collect::<Option<_>>()?;
    let length = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.len()))?;
    let fits = (1..=MAX_VARIADIC).contains(&parts.len()) && length <= MAX_STRING;
    fits.then(|| Value::String(parts.concat().into()))
}

fn disjoin(arguments: &[&Value]) -> Option<Value> {
    let parts: Vec<bool> = arguments.iter().map(|value| Read::read(value)).collect::<Option<_>>()?;
    (1..=MAX_VARIADIC)
        .contains(&parts.len())
        .then(|| Value::Bool(parts.into_iter().any(|part| part)))
}

fn replace(text: &str, from: &str, to: &str) -> Option<String> {
    let matches = text.matches(from).count();
    let length = (text.len() - matches * from.len()).checked_add(matches.checked_mul(to.len())?)?;
    (length <= MAX_STRING).then(|| text.replace(from, to))
}

fn wide(r: Rational) -> (i128, i128) {
    (i128::from(r.numerator()), i128::from(r.denominator()))
}

fn integer(value: i128) -> Option<Rational> {
    Rational::reduce(value, 1)
}

/// `a + sign * b`. The products are below 2^126 and their sum below 2^127.
fn sum(a: Rational, b: Rational, sign: i128) -> Option<Rational> {
    let ((a, b), (c, d)) = (wide(a), wide(b));
    Rational::reduce(a * d + sign * c * b, b * d)
}

/// Half-way cases away from zero.
fn round(r: Rational) -> Option<Rational> {
    let (n, d) = wide(r);
    integer(n.signum() * ((2 * n.abs() + d) / (2 * d)))
}

/// Integral powers, with `0^0 = 1`.
fn power(base: Rational, exponent: Rational) -> Option<Rational> {
    if exponent.denominator() != 1 {
        return None;
    }
    let exponent = exponent.numerator();
    let base = if exponent < 0 {
        Rational::new(base.denominator(), base.numerator())?
    } else {
        base
    };
    let raise = |n: i64| match (n, exponent.unsigned_abs()) {
        (0 | 1, 1..) => Some(n),
        (-1, exponent) => Some(if exponent % 2 == 0 { 1 } else { -1 }),
        (_, exponent) => n.checked_pow(u32::try_from(exponent).ok()?),
    };
    Rational::new(raise(base.numerator())?, raise(base.denominator())?)
}

/// Defined for squares of positive fractions only.
fn square_root(r: Rational) -> Option<Rational> {
    let root = |n: i64| n.checked_isqrt().filter(|root| n > 0 && root * root == n);
    Rational::new(root(r.numerator())?, root(r.denominator())?)
}

/// Defined for cubes only.
fn cube_root(r: Rational) -> Option<Rational> {
    let root = |n: i64| {
        let near = libm::round(libm::cbrt(n as f64)) as i64;
        (near - 1..=near + 1).find(|root| root.checked_pow(3) == Some(n))
    };
    Rational::new(root(r.numerator())?, root(r.denominator())?)
}

/// The nearest float, ties to even: the quotient to at least 63 bits, its last bit sticky, is rounded once.
fn nearest(r: Rational) -> f64 {
    let (n, d) = wide(r);
    let magnitude = n.unsigned_abs();
    if magnitude == 0 {
        return 0.0;
    }
    let shift = magnitude.leading_zeros();
    let (shifted, d) = (magnitude << shift, d.unsigned_abs());
    let quotient = (shifted / d) | u128::from(shifted % d != 0);
    let result = libm::scalbn(quotient as f64, -(shift as i32));
    if n < 0 { -result } else { result }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn value(text: &str) -> Value {
        if let Some(string) = text.strip_prefix('"') {
            return Value::String(string.strip_suffix('"').expect("quotes come in pairs").into());
        }
        match text {
            "()" => return Value::Unit,
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            "min" => return Value::I64(i64::MIN),
            "max" => return Value::I64(i64::MAX),
            _ => {}
        }
        if let Some((n, d)) = text.split_once("//") {
            let part = |text| match value(text) {
                Value::I64(i) => i,
                other => panic!("{other} in a fraction"),
            };
            return Value::Rational(Rational::new(part(n), part(d)).expect("a fraction"));
        }
        text.parse().map_or_else(
            |_| Value::F64(Float::from(text.parse::<f64>().expect(text))),
            Value::I64,
        )
    }

    fn words(text: &str) -> Vec<Value> {
        text.split_whitespace()
            .map(|word| value(&word.replace('_', " ")))
            .collect()
    }

    fn check(line: &str) -> Primitive {
        let (call, expected) = line.split_once(" = ").expect(line);
        let (name, arguments) = call.trim().split_once(' ').expect(line);
        let arguments = words(arguments);
        let sorts: Vec<ValueType> = arguments.iter().map(Value::value_type).collect();
        let primitive = Primitive::resolve(name, &sorts).unwrap_or_else(|| panic!("no operation for {line}"));
        let result = primitive.apply(&arguments.iter().collect::<Vec<_>>());
        let expected = (expected.trim() != "undefined").then(|| words(expected).remove(0));
        assert_eq!(result, expected, "{line}");
        if let Some(result) = result {
            assert_eq!(result.value_type(), primitive.result(), "{line}");
        }
        primitive
    }

    const INTEGERS: &str = "
        + 1 2 = 3
        + max 1 = undefined
        + min -1 = undefined
        - 1 2 = -1
        - min 1 = undefined
        - 0 min = undefined
        * 6 7 = 42
        * max 2 = undefined
        * min -1 = undefined
        / 7 2 = 3
        / -7 2 = -3
        / 1 0 = undefined
        / min -1 = undefined
        % 7 -2 = 1
        % -7 2 = -1
        % 1 0 = undefined
        % min -1 = undefined
        & 12 10 = 8
        | 12 10 = 14
        ^ 12 10 = 6
        << 1 62 = 4611686018427387904
        << 1 63 = min
        << 1 64 = undefined
        << 1 -1 = undefined
        << 1 4294967296 = undefined
        >> min 63 = -1
        >> 1 64 = undefined
        >> 1 -1 = undefined
        not-i64 0 = -1
        log2 1024 = 10
        log2 1023 = 9
        log2 0 = undefined
        log2 -1 = undefined
        abs -3 = 3
        abs min = undefined
        min 1 2 = 1
        max 1 2 = 2
        < 1 2 = ()
        < 2 2 = undefined
        > 2 1 = ()
        > 2 2 = undefined
        <= 2 2 = ()
        <= 3 2 = undefined
        >= 2 2 = ()
        >= 1 2 = undefined
        != 1 2 = ()
        != 2 2 = undefined
        bool-= 1 1 = true
        bool-= 1 2 = false
        bool-!= 1 1 = false
        bool-!= 1 2 = true
        bool-< 1 2 = true
        bool-< 2 2 = false
        bool-> 2 1 = true
        bool-> 2 2 = false
        bool-<= 2 2 = true
        bool-<= 3 2 = false
        bool->= 2 2 = true
        bool->= 1 2 = false
        to-f64 max = 9223372036854775807.0
        to-string min = \"-9223372036854775808\"";

    const FLOATS: &str = "
        + 0.1 0.2 = 0.30000000000000004
        + inf -inf = NaN
        + 1e308 1e308 = inf
        - 1.5 0.5 = 1.0
        * 1e200 1e200 = inf
        * 0.0 inf = NaN
        / 1.0 4.0 = 0.25
        / 1.0 0.0 = undefined
        / 1.0 -0.0 = undefined
        / 1.0 NaN = NaN
        % 7.5 2.0 = 1.5
        % -7.5 2.0 = -1.5
        % 1.0 0.0 = undefined
        ^ 2.0 0.5 = 1.4142135623730951
        ^ -8.0 0.5 = NaN
        ^ 0.0 0.0 = 1.0
        neg 0.0 = -0.0
        neg NaN = NaN
        abs -2.5 = 2.5
        exp 0.0 = 1.0
        exp 1.0 = 2.7182818284590455
        exp 1000.0 = inf
        log 1.0 = 0.0
        log 2.0 = 0.6931471805599453
        log 0.0 = undefined
        log -1.0 = undefined
        log NaN = NaN
        sqrt 2.0 = 1.4142135623730951
        sqrt -1.0 = undefined
        sqrt -0.0 = -0.0
        min 1.0 NaN = 1.0
        max 1.0 NaN = NaN
        min 0.0 -0.0 = -0.0
        max -0.0 0.0 = 0.0
        < 1.0 2.0 = ()
        < -0.0 0.0 = undefined
        < 1.0 NaN = ()
        < NaN NaN = undefined
        > NaN inf = ()
        > 1.0 1.0 = undefined
        <= NaN NaN = ()
        <= 2.0 1.0 = undefined
        >= 1.0 1.0 = ()
        >= 1.0 2.0 = undefined
        != 1.0 2.0 = ()
        != NaN NaN = undefined
        bool-!= 1.0 2.0 = true
        bool-!= NaN NaN = false
        to-i64 -2.9 = -2
        to-i64 1e300 = max
        to-i64 -1e300 = min
        to-i64 NaN = 0
        to-string 1.0 = \"1.0\"
        to-string NaN = \"NaN\"";

    const STRINGS: &str = "
        + \"a\" = \"a\"
        + \"a\" \"b\" = \"ab\"
        + \"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" = \"abcdefgh\"
        replace \"aba\" \"a\" \"cc\" = \"ccbcc\"
        replace \"ab\" \"\" \"-\" = \"-a-b-\"
        count-matches \"aaaa\" \"aa\" = 2
        != \"a\" \"b\" = ()
        != \"a\" \"a\" = undefined
        bool-!= \"a\" \"a\" = false
        not true = false
        and true false = false
        and true true = true
        or false = false
        or false false false true = true
        or false true = true
        xor true true = false
        => false false = true
        => true false = false
        guard true = ()
        guard false = undefined
        != true false = ()
        != true true = undefined
        bool-!= true false = true";

    const FRACTIONS: &str = "
        rational 2 -4 = -1//2
        rational 1 0 = undefined
        rational 1 min = undefined
        rational min -1 = undefined
        numer -1//2 = -1
        denom -1//2 = 2
        + 1//2 1//3 = 5//6
        + max//1 1//1 = undefined
        + min//1 -1//1 = undefined
        + 1//max 1//9223372036854775806 = undefined
        - 1//2 1//3 = 1//6
        - min//1 1//1 = undefined
        - min//max max//9223372036854775806 = undefined
        * 2//3 3//4 = 1//2
        * max//1 2//1 = undefined
        * 1//max 1//2 = undefined
        / 1//2 3//4 = 2//3
        / 1//2 0//1 = undefined
        / max//1 1//2 = undefined
        / 1//1 min//1 = undefined
        neg 1//2 = -1//2
        neg min//1 = undefined
        abs -1//2 = 1//2
        abs min//1 = undefined
        min 1//2 1//3 = 1//3
        max 1//2 1//3 = 1//2
        floor -1//2 = -1//1
        floor 3//2 = 1//1
        ceil -1//2 = 0//1
        ceil 3//2 = 2//1
        round 1//2 = 1//1
        round -1//2 = -1//1
        round -1//3 = 0//1
        round max//1 = max//1
        pow 2//3 3//1 = 8//27
        pow 2//3 -3//1 = 27//8
        pow 2//1 62//1 = 4611686018427387904//1
        pow 2//1 63//1 = undefined
        pow -2//1 63//1 = min//1
        pow 2//1 max//1 = undefined
        pow -1//1 max//1 = -1//1
        pow -1//1 min//1 = 1//1
        pow min//1 -1//1 = undefined
        pow 0//1 0//1 = 1//1
        pow 0//1 5//1 = 0//1
        pow 0//1 -1//1 = undefined
        pow 4//1 1//2 = undefined
        log 1//1 = 0//1
        log 2//1 = undefined
        sqrt 4//9 = 2//3
        sqrt 2//9 = undefined
        sqrt -4//9 = undefined
        sqrt 0//1 = undefined
        sqrt 9223372030926249001//1 = 3037000499//1
        cbrt -8//27 = -2//3
        cbrt 1//1 = 1//1
        cbrt 2//1 = undefined
        cbrt max//1 = undefined
        < 1//3 1//2 = ()
        < 1//2 1//2 = undefined
        > 1//2 1//3 = ()
        > 1//2 1//2 = undefined
        <= 1//2 1//2 = ()
        <= 1//2 1//3 = undefined
        >= 1//2 1//2 = ()
        >= 1//3 1//2 = undefined
        != 1//3 1//2 = ()
        != 1//2 1//2 = undefined
        bool-!= 1//3 1//2 = true
        to-f64 1//3 = 0.3333333333333333
        to-f64 -1//2 = -0.5
        to-f64 0//1 = 0.0
        to-f64 min//1 = -9223372036854775808.0
        to-f64 1//max = 1.0842021724855044e-19
        to-i64 3//1 = 3
        to-i64 1//2 = undefined";

    #[test]
    fn every_operation_does_as_the_tables_say() {
        let lines = [INTEGERS, FLOATS, STRINGS, FRACTIONS]
            .into_iter()
            .flat_map(|table| table.trim().lines());
        let tested: BTreeSet<Primitive> = lines.map(check).collect();
        // Of the variadic ones, the least and the most arguments stand for those between.
        let variadic = |own: &Primitive| matches!(own.name(), "+" | "or") && own.arguments().len() > 2;
        let untested: Vec<Primitive> = Primitive::all()
            .filter(|own| !variadic(own) && !tested.contains(own))
            .collect();
        assert_eq!(untested, []);
        assert_eq!(Primitive::resolve("+", &[ValueType::String; MAX_VARIADIC + 1]), None);
    }

    #[test]
    fn names_and_sorts_identify_an_operation() {
        for primitive in Primitive::all() {
            assert_eq!(
                Primitive::resolve(primitive.name(), primitive.arguments()),
                Some(primitive),
                "{primitive}"
            );
            assert!(Primitive::named(primitive.name()).any(|own| own == primitive));
            let json = serde_json::to_string(&primitive).expect("a string");
            assert_eq!(json, format!("\"{primitive}\""));
            assert_eq!(
                serde_json::from_str::<Primitive>(&json).expect("what was written"),
                primitive
            );
            let bytes = postcard::to_allocvec(&primitive).expect("into memory");
            assert_eq!(
                postcard::from_bytes::<Primitive>(&bytes).expect("what was written"),
                primitive
            );
        }
        for text in ["+(i64)", "+", "+(i64,i64", "frobnicate(i64)", "+(i64,i64) ", "", "+()"] {
            assert_eq!(text.parse::<Primitive>(), Err(UnknownPrimitive(text.to_owned())));
            assert!(serde_json::from_value::<Primitive>(text.into()).is_err());
        }
    }

    #[test]
    fn arguments_of_other_sorts_are_undefined() {
        let add = Primitive::resolve("+", &[ValueType::I64, ValueType::I64]).expect("addition");
        for arguments in [&[][..], &[&Value::I64(1)], &[&Value::I64(1), &Value::Unit]] {
            assert_eq!(add.apply(arguments), None);
        }
    }

    #[test]
    fn strings_do_not_grow_without_bound() {
        let text = Value::String("x".repeat(MAX_STRING / 2 + 1).into());
        let add = Primitive::resolve("+", &[ValueType::String; 2]).expect("concatenation");
        assert_eq!(add.apply(&[&text, &text]), None);
        let replace = Primitive::resolve("replace", &[ValueType::String; 3]).expect("replacement");
        assert_eq!(replace.apply(&[&text, &Value::String("x".into()), &text]), None);
    }
}
