//! `rewrite` and `birewrite`: from a statement to compiled rules.

use std::fmt::Write as _;

use eqmesh_egraph::color::Color;
use eqmesh_egraph::program::{self, ProgramError};
use eqmesh_egraph::rule::{MAX_RULE_SIZE, Rule};

use crate::diagnostic::{Diagnostic, suggestion};
use crate::flatten::Flattener;
use crate::options::{self, Setting};
use crate::pattern::{Fact, Pattern, Shape, too_large};
use crate::query::{check_facts, groups};
use crate::reader::{Form, Forms, Kind, quote};
use crate::scope::Scope;
use crate::sides::{Printer, Side};

/// A compiled rule and what its polarity is inferred from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledRule {
    /// The rule; its color is the declared one, or GREEN until it is painted.
    pub rule: Rule,
    /// What `:color` says.
    pub declared: Option<Color>,
    /// The left side.
    pub left: Side,
    /// The right side.
    pub right: Side,
    /// Whether it is the right-to-left half of a `birewrite`.
    pub reversed: bool,
    /// The rule as one line of text.
    pub text: String,
}

struct Options<'t> {
    name: Option<String>,
    ruleset: &'t str,
    color: Option<Color>,
    conditions: Vec<Form>,
}

/// A rule that was seen before up to the names of its variables.
pub(crate) type Seen<'a> = &'a mut dyn FnMut(&str) -> bool;

/// Compiles a `rewrite` (one rule) or a `birewrite` (two). Fewer come back where errors were reported.
pub(crate) fn compile(
    scope: &mut Scope<'_>,
    forms: &Forms<'_>,
    form: Form,
    untyped: bool,
    seen: Seen<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<CompiledRule> {
    let both = forms.head(form) == Some("birewrite");
    let arguments: Vec<Form> = forms.elements(form).skip(1).collect();
    // An untyped leaf may have the name of a key, so the sides are the sides whatever they are called.
    let least = if untyped { arguments.len().min(2) } else { 0 };
    let keys = arguments[least..]
        .iter()
        .position(|&argument| options::is_key(forms, argument));
    let positional = keys.map_or(arguments.len(), |position| least + position);
    let (sides, settings) = arguments.split_at(positional);
    let &[left, right] = sides else {
        let head = if both { "birewrite" } else { "rewrite" };
        diagnostics.push(
            Diagnostic::error(
                "usage",
                forms.span(form),
                format!("`{head}` takes two sides, not {}", sides.len()),
            )
            .help(format!(
                "({head} left right [:when (facts…)] [:ruleset name] [:color red|blue|green] [:name name])"
            )),
        );
        return Vec::new();
    };
    let before = diagnostics.len();
    let options = read_options(scope, forms, settings, diagnostics);
    let mut rules = Vec::new();
    rules.extend(direction(
        scope,
        forms,
        form,
        (left, right),
        untyped,
        &options,
        false,
        diagnostics,
    ));
    if both && diagnostics[before..].iter().all(|diagnostic| !diagnostic.error) {
        rules.extend(direction(
            scope,
            forms,
            form,
            (right, left),
            untyped,
            &options,
            true,
            diagnostics,
        ));
    }
    for rule in &rules {
        let key = format!(
            "{} {} {} {}",
            rule.rule.ruleset,
            if untyped { "_" } else { "" },
            rule.left.left_first,
            rule.right.left_first
        );
        if !seen(&key) {
            let message = if rule.reversed && rule.left.left_first == rule.right.right_first {
                "this rule is its own reverse: `birewrite` says it twice".to_owned()
            } else {
                format!(
                    "the rule `{}` is here already, up to the names of its variables",
                    rule.rule.name
                )
            };
            let help = if rule.reversed {
                "use `rewrite`"
            } else {
                "remove one of the two"
            };
            diagnostics.push(Diagnostic::warning("duplicate-rule", forms.span(form), message).help(help));
        }
    }
    rules
}

/// Checks one direction of an untyped rule. Answers what tells whether two rules are the same up to the names of their variables.
pub(crate) fn check_untyped(
    scope: &mut Scope<'_>,
    forms: &Forms<'_>,
    left: Form,
    right: Form,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<String> {
    let options = Options {
        name: None,
        ruleset: "",
        color: None,
        conditions: Vec::new(),
    };
    let rule = direction(scope, forms, left, (left, right), true, &options, false, diagnostics)?;
    Some(format!("{} => {}", rule.left.left_first, rule.right.left_first))
}

fn read_options<'t>(
    scope: &Scope<'_>,
    forms: &Forms<'t>,
    settings: &[Form],
    diagnostics: &mut Vec<Diagnostic>,
) -> Options<'t> {
    let mut options = Options {
        name: None,
        ruleset: "",
        color: None,
        conditions: Vec::new(),
    };
    for Setting { key, name, values } in options::settings(forms, settings) {
        let mut wrong = |message: &str| {
            diagnostics.push(Diagnostic::error("usage", forms.span(key), message));
        };
        match (name, &values[..]) {
            (":when", &[list]) if forms.kind(list) == Kind::List => options.conditions.extend(forms.elements(list)),
            (":when", _) => wrong("`:when` takes a list of facts: `:when ((= a b) (< x 1))`"),
            (":ruleset", &[ruleset]) if forms.symbol(ruleset).is_some() => {
                options.ruleset = forms.source(ruleset);
                check_ruleset(scope, forms, ruleset, diagnostics);
            }
            (":ruleset", _) => wrong("`:ruleset` takes a name"),
            (":name", &[value]) if forms.kind(value) != Kind::List => {
                options.name = Some(forms.string(value).unwrap_or_else(|| forms.source(value).to_owned()));
            }
            (":name", _) => wrong("`:name` takes a string or a symbol"),
            (":color", &[color]) if Color::from_name(forms.source(color)).is_some() => {
                options.color = Color::from_name(forms.source(color));
            }
            (":color", _) => wrong("`:color` takes `red`, `blue` or `green`"),
            (":subsume", _) => diagnostics.push(
                Diagnostic::error("not-supported", forms.span(key), "`:subsume` is not supported")
                    .help("it would take equalities back, and a network only ever adds; leave it out"),
            ),
            _ => {
                let known = [":when", ":ruleset", ":name", ":color"];
                let help = suggestion(
                    name,
                    known.into_iter(),
                    "the options are :when, :ruleset, :name and :color",
                );
                let message = format!("a rewrite has no option `{name}`");
                diagnostics.push(Diagnostic::error("unknown-option", forms.span(key), message).help(help));
            }
        }
    }
    options
}

/// Reports a ruleset that is not declared.
pub(crate) fn check_ruleset(scope: &Scope<'_>, forms: &Forms<'_>, ruleset: Form, diagnostics: &mut Vec<Diagnostic>) {
    let name = forms.source(ruleset);
    if !name.is_empty() && !scope.signature.rulesets.contains(name) {
        let help = suggestion(
            name,
            scope.signature.rulesets.names(),
            &format!("declare it: `(ruleset {name})`"),
        );
        diagnostics.push(
            Diagnostic::error(
                "unknown-ruleset",
                forms.span(ruleset),
                format!("no ruleset `{name}` is declared"),
            )
            .help(help),
        );
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "one call site; each is a part of the statement"
)]
fn direction(
    scope: &mut Scope<'_>,
    forms: &Forms<'_>,
    form: Form,
    (left, right): (Form, Form),
    untyped: bool,
    options: &Options<'_>,
    reversed: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<CompiledRule> {
    let before = diagnostics.len();
    let mut pattern = Pattern::default();
    let left_root = pattern.read(scope, forms, left, untyped, diagnostics);
    let left_variables = pattern.variables.len();
    let facts = pattern.facts(scope, forms, &options.conditions, untyped, diagnostics);
    let right_root = pattern.read(scope, forms, right, untyped, diagnostics);
    let (left_root, right_root) = (left_root?, right_root?);
    check_left(&pattern, forms, left, left_root, diagnostics);
    pattern.read_labels(scope, &forms.span(form), diagnostics);
    pattern.infer(
        scope,
        forms,
        &groups(&facts, Some((left_root, right_root))),
        diagnostics,
    );
    check_conditions(&pattern, forms, &facts, diagnostics);
    if pattern.operators() > MAX_RULE_SIZE {
        diagnostics.push(too_large(forms.span(form)));
    }
    // A node can be bad without an error here: its name failed to be declared, which was reported there.
    if pattern.is_bad() || diagnostics[before..].iter().any(|diagnostic| diagnostic.error) {
        return None;
    }
    warn_of_names(scope, &pattern, left_variables, untyped, reversed, diagnostics);
    let mut flattener = Flattener::new(scope, &pattern, forms);
    flattener.match_all(Some(left_root), &facts, diagnostics);
    flattener.build(left_root, right_root, diagnostics);
    let (query, actions) = flattener.finish();
    if diagnostics[before..].iter().any(|diagnostic| diagnostic.error) {
        return None;
    }

    let printer = Printer {
        scope,
        pattern: &pattern,
    };
    let declared = options
        .color
        .map(|color| if reversed { opposite(color) } else { color });
    let written = |variable: u32| pattern.variables[variable as usize].written.clone();
    let sides = (
        printer.expression(left_root, &written),
        printer.expression(right_root, &written),
    );
    let conditions = printer.facts(&facts, &written);
    let name = match &options.name {
        Some(name) if reversed => format!("{name}-rev"),
        Some(name) => name.clone(),
        None => format!(
            "{} => {}{}{conditions}",
            sides.0,
            sides.1,
            if facts.is_empty() { "" } else { " :when " }
        ),
    };
    let own_name = options.name.as_ref().map(|_| name.as_str());
    let text = line(&sides, &conditions, (own_name, options.ruleset, declared), untyped);
    let rule = Rule {
        name,
        ruleset: options.ruleset.to_owned(),
        color: declared.unwrap_or(Color::Green),
        query,
        actions,
    };
    match program::check_rule(&rule) {
        Ok(()) => {}
        Err(ProgramError::Size) => diagnostics.push(too_large(forms.span(form))),
        Err(error) => diagnostics.push(Diagnostic::error("rule", forms.span(form), error.to_string())),
    }
    if diagnostics[before..].iter().any(|diagnostic| diagnostic.error) {
        return None;
    }
    let (left, right) = printer.sides(left_root, right_root, &facts);
    Some(CompiledRule {
        rule,
        declared,
        left,
        right,
        reversed,
        text,
    })
}

fn check_left(pattern: &Pattern, forms: &Forms<'_>, left: Form, root: u32, diagnostics: &mut Vec<Diagnostic>) {
    let (code, what) = match pattern.nodes[root as usize].shape {
        Shape::Variable(_) => ("left-is-variable", "a variable alone"),
        Shape::Value(_) => ("left-is-value", "a literal"),
        Shape::Primitive(_) => ("left-is-value", "a primitive function"),
        Shape::Label(_) => ("left-is-variable", "a label alone"),
        Shape::Call(_) | Shape::Bad => return,
    };
    diagnostics.push(
        Diagnostic::error(
            code,
            forms.span(left),
            format!("the left side is {what}; a rule matches an operator"),
        )
        .help("begin the left side with an operator"),
    );
}

fn check_conditions(pattern: &Pattern, forms: &Forms<'_>, facts: &[Fact], diagnostics: &mut Vec<Diagnostic>) {
    check_facts(pattern, forms, facts, diagnostics);
    for fact in facts {
        match fact {
            Fact::Different(a, _) if pattern.sort(*a).is_some_and(crate::signature::SortId::is_class) => {
                let place = forms.span(pattern.nodes[*a as usize].form);
                diagnostics.push(
                    Diagnostic::error("not-monotone", place, "a rule may not ask for two e-classes to differ")
                        .help("they may become equal later, and what the rule did cannot be taken back; compare values instead"),
                );
            }
            Fact::Holds(node) => {
                let node = &pattern.nodes[*node as usize];
                let Shape::Primitive(candidates) = &node.shape else {
                    continue;
                };
                if candidates
                    .first()
                    .is_some_and(|own| own.result() == eqmesh_egraph::value::ValueType::Bool)
                {
                    let message = "this condition holds whether its value is true or false";
                    diagnostics.push(
                        Diagnostic::warning("vacuous-condition", forms.span(node.form), message)
                            .help("write `(guard …)` around it"),
                    );
                }
            }
            _ => {}
        }
    }
}

/// A variable that has the name of a constructor without arguments is a mistake more often than not.
fn warn_of_names(
    scope: &Scope<'_>,
    pattern: &Pattern,
    left_variables: usize,
    untyped: bool,
    reversed: bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if untyped || reversed {
        return;
    }
    for named in &pattern.variables[..left_variables] {
        let constructor = scope
            .signature
            .typed(&named.written)
            .is_some_and(|(_, own)| own.columns.is_empty());
        if constructor {
            let message = format!("`{}` is a variable here, and matches anything", named.written);
            diagnostics.push(
                Diagnostic::warning("variable-like-constructor", named.span.clone(), message)
                    .help(format!("the constructor is written `({})`", named.written)),
            );
        }
    }
}

/// What turning a rule round makes of its color.
pub(crate) fn opposite(color: Color) -> Color {
    match color {
        Color::Red => Color::Blue,
        Color::Blue => Color::Red,
        Color::Green => Color::Green,
    }
}

fn line(
    sides: &(String, String),
    conditions: &str,
    (name, ruleset, declared): (Option<&str>, &str, Option<Color>),
    untyped: bool,
) -> String {
    let mut text = format!("(rewrite {} {}", sides.0, sides.1);
    if !conditions.is_empty() {
        let _ = write!(text, " :when ({conditions})");
    }
    if !ruleset.is_empty() {
        let _ = write!(text, " :ruleset {ruleset}");
    }
    if let Some(color) = declared {
        let _ = write!(text, " :color {}", color.name());
    }
    if let Some(name) = name {
        let _ = write!(text, " :name {}", quote(name));
    }
    text.push(')');
    if untyped { format!("(untyped {text})") } else { text }
}
