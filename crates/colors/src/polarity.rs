//! The polarity of a rule, inferred from its shape.

use eqmesh_egraph::color::Color;

/// The shape of one side of a rule, as far as polarity needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The number of nodes of the term; a variable counts as often as it occurs.
    pub weight: u32,
    /// The side as text with its variables numbered in order of first occurrence in the whole rule, left side first.
    pub left_first: String,
    /// The same, numbered in order of first occurrence with the right side first.
    pub right_first: String,
}

/// What a color is inferred from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// What the user wrote (`:color red`).
    pub declared: Option<Color>,
    /// The side that is matched.
    pub left: Side,
    /// The side that is built.
    pub right: Side,
    /// Whether this rule is the right-to-left half of a rule that holds both ways.
    pub reversed: bool,
}

impl Inference {
    /// Whether the rule equals its own reverse up to the names of its variables.
    ///
    /// A rule is named canonically by numbering its variables from its left side on; its reverse has its left where the rule has
    /// its right.
    fn is_own_reverse(&self) -> bool {
        self.left.left_first == self.right.right_first && self.right.left_first == self.left.right_first
    }
}

/// The polarity of a rule, in this order: what the user wrote; GREEN if the rule equals its own reverse up to renaming; RED if
/// the right side is heavier, BLUE if the left is; of equal weight, BLUE for the reversed half and otherwise RED.
pub fn infer_polarity(rule: &Inference) -> Color {
    if let Some(declared) = rule.declared {
        return declared;
    }
    if rule.is_own_reverse() {
        return Color::Green;
    }
    let (left, right) = (rule.left.weight, rule.right.weight);
    if left > right || left == right && rule.reversed {
        Color::Blue
    } else {
        Color::Red
    }
}

/// What a rule of this color counts for before its gain is known: RED 30, GREEN 20, BLUE 10.
pub fn base_priority(color: Color) -> u32 {
    match color {
        Color::Red => 30,
        Color::Green => 20,
        Color::Blue => 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rule whose sides are these, written with one-letter variables in lower case.
    fn rule(left: &str, right: &str) -> Inference {
        let numbered = |order: [&str; 2], side: &str| {
            let mut names = Vec::new();
            for name in order.concat().chars().filter(char::is_ascii_lowercase) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let number = |name: char| match names.iter().position(|known| *known == name) {
                Some(at) => format!("?{at}"),
                None => name.to_string(),
            };
            side.chars().map(number).collect::<String>()
        };
        let side = |side: &str| Side {
            weight: side
                .chars()
                .filter(|c| c.is_ascii_lowercase() || "+*-0".contains(*c))
                .count() as u32,
            left_first: numbered([left, right], side),
            right_first: numbered([right, left], side),
        };
        Inference {
            declared: None,
            left: side(left),
            right: side(right),
            reversed: false,
        }
    }

    #[test]
    fn rules_have_the_polarity_of_the_design() {
        let cases = [
            ("(+ (+ a b) c)", "(+ a (+ b c))", false, Color::Red),
            ("(+ a (+ b c))", "(+ (+ a b) c)", true, Color::Blue),
            ("(+ (* a b) (* a c))", "(* a (+ b c))", false, Color::Blue),
            ("(* a (+ b c))", "(+ (* a b) (* a c))", false, Color::Red),
            ("(+ a b)", "(+ b a)", false, Color::Green),
            ("(+ a b)", "(+ b a)", true, Color::Green),
            ("(+ (* a b) c)", "(+ c (* a b))", false, Color::Red),
            ("(+ a 0)", "a", false, Color::Blue),
            ("a", "(+ a 0)", true, Color::Red),
            // The same text on both sides, but not the same rule turned round.
            ("(+ a a)", "(+ a b)", false, Color::Red),
        ];
        for (left, right, reversed, expected) in cases {
            let inference = Inference {
                reversed,
                ..rule(left, right)
            };
            assert_eq!(infer_polarity(&inference), expected, "{left} => {right}, {inference:?}");
        }
    }

    #[test]
    fn what_the_user_wrote_comes_first() {
        for declared in Color::ALL {
            for (left, right) in [("(+ a b)", "(+ b a)"), ("(+ a 0)", "a"), ("a", "(+ a 0)")] {
                let inference = Inference {
                    declared: Some(declared),
                    ..rule(left, right)
                };
                assert_eq!(infer_polarity(&inference), declared);
            }
        }
    }

    #[test]
    fn priorities_put_forward_steps_first() {
        assert_eq!([Color::Red, Color::Green, Color::Blue].map(base_priority), [30, 20, 10]);
    }

    /// Terms over `+`, `0` and three variables.
    fn term() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["a", "b", "c", "0"]).prop_map(str::to_owned);
        leaf.prop_recursive(3, 12, 2, |inner| {
            (inner.clone(), inner).prop_map(|(a, b)| format!("(+ {a} {b})"))
        })
    }

    proptest! {
        #[test]
        fn turning_a_rule_round_exchanges_red_and_blue(left in term(), right in term()) {
            let forward = infer_polarity(&rule(&left, &right));
            let backward = infer_polarity(&Inference { reversed: true, ..rule(&right, &left) });
            let expected = match forward {
                Color::Red => Color::Blue,
                Color::Blue => Color::Red,
                Color::Green => Color::Green,
            };
            prop_assert_eq!(backward, expected);
        }

        #[test]
        fn the_names_of_variables_do_not_matter(left in term(), right in term()) {
            let renamed = |side: &str| side.replace('a', "x").replace('b', "a").replace('c', "b").replace('x', "c");
            prop_assert_eq!(infer_polarity(&rule(&left, &right)), infer_polarity(&rule(&renamed(&left), &renamed(&right))));
        }
    }
}
