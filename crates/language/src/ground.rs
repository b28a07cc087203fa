//! Ground terms: checked bottom-up, primitives computed, and written in canonical form. Nothing recurses.

use eqmesh_egraph::operator::UNTYPED;
use eqmesh_egraph::primitive::Primitive;
use eqmesh_egraph::term::MAX_TERM_NODES;
use eqmesh_egraph::value::{Value, ValueType};

use crate::diagnostic::Diagnostic;
use crate::literal::{Literal, literal};
use crate::reader::{Form, Forms, Kind};
use crate::scope::{NONE, Scope};
use crate::signature::{Signature, SortId, UNTYPED_SORT};

/// What one form of a term turned out to be.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    /// A head, or something of which an error was reported.
    Nothing,
    /// A term of this e-class sort.
    Class(SortId),
    /// A primitive value, by position in the list of values.
    Value(u32),
}

/// Checks a text that is one term.
pub(crate) fn resolve(signature: &Signature, forms: &Forms<'_>) -> Result<(String, SortId), Vec<Diagnostic>> {
    let roots: Vec<Form> = forms.roots().take(2).collect();
    let [form] = roots[..] else {
        let message = if roots.is_empty() {
            "a term is wanted"
        } else {
            "one term is wanted, not several"
        };
        return Err(vec![Diagnostic::error("usage", 0..forms.text().len(), message)]);
    };
    let mut errors = Vec::new();
    let ground = ground(&mut Scope::new(signature, NONE), forms, form, false, &mut errors);
    match ground {
        Some(ground) if errors.is_empty() => Ok(ground),
        _ => Err(errors),
    }
}

/// Checks a ground term, which may be `(untyped term)`: its canonical text and its sort. None if an error was reported (or concerns a name of
/// which one was). O(n log operators).
pub(crate) fn ground(
    scope: &mut Scope<'_>,
    forms: &Forms<'_>,
    form: Form,
    untyped: bool,
    errors: &mut Vec<Diagnostic>,
) -> Option<(String, SortId)> {
    let (form, untyped) = match untyped_term(scope, forms, form).filter(|_| !untyped) {
        Some(Ok(inner)) => (inner, true),
        Some(Err(error)) => {
            errors.push(error);
            return None;
        }
        None => (form, untyped),
    };
    let mut reader = Reader {
        scope,
        forms,
        untyped,
        root: form.0,
        values: Vec::new(),
        errors,
    };
    let cells = reader.cells(form)?;
    match cells[0] {
        Cell::Nothing => None,
        Cell::Class(sort) => Some((reader.write(form, &cells), sort)),
        Cell::Value(index) => {
            let value = &reader.values[index as usize];
            let message = format!("this is the value {value} of {}, not a term", value.value_type().name());
            let help = "a primitive value stands in a column of an operator, as in `(Num 1)`";
            errors.push(Diagnostic::error("value-as-term", forms.span(form), message).help(help));
            None
        }
    }
}

/// The form inside `(untyped form)`, unless an operator of that name is declared.
pub(crate) fn untyped_term(scope: &Scope<'_>, forms: &Forms<'_>, form: Form) -> Option<Result<Form, Diagnostic>> {
    if forms.head(form) != Some("untyped") || scope.signature.typed("untyped").is_some() {
        return None;
    }
    let mut inner = forms.elements(form).skip(1);
    Some(match (inner.next(), inner.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Diagnostic::error(
            "usage",
            forms.span(form),
            "`untyped` stands around one term here",
        )),
    })
}

struct Reader<'r, 's, 't> {
    scope: &'r mut Scope<'s>,
    forms: &'r Forms<'t>,
    untyped: bool,
    root: u32,
    values: Vec<Value>,
    errors: &'r mut Vec<Diagnostic>,
}

impl Reader<'_, '_, '_> {
    /// Every form of the term, children before parents (that is, backwards). None if the term is too large.
    fn cells(&mut self, root: Form) -> Option<Vec<Cell>> {
        let end = self.forms.after(root);
        let mut cells = vec![Cell::Nothing; (end.0 - root.0) as usize];
        let mut nodes = 0;
        for at in (root.0..end.0).rev() {
            let form = Form(at);
            let cell = match self.forms.kind(form) {
                Kind::Symbol if form != root && self.forms.is_head(form) => Some(Cell::Nothing),
                Kind::Symbol if self.untyped => self.untyped_leaf(form),
                Kind::Symbol => self.symbol(form),
                Kind::String if self.untyped => {
                    self.error(
                        "string-in-untyped",
                        form,
                        "an untyped term has no strings",
                        "write a symbol",
                    );
                    None
                }
                Kind::String => Some(self.value(Value::String(self.forms.string(form).unwrap_or_default().into()))),
                Kind::List => self.list(form, &cells),
            };
            nodes += usize::from(matches!(cell, Some(Cell::Class(_))));
            if nodes > MAX_TERM_NODES {
                self.error(
                    "limit",
                    root,
                    &format!("the term has more than {MAX_TERM_NODES} nodes"),
                    "",
                );
                return None;
            }
            cells[(at - root.0) as usize] = cell.unwrap_or(Cell::Nothing);
        }
        Some(cells)
    }

    fn error(&mut self, code: &'static str, form: Form, message: &str, help: &str) {
        self.errors
            .push(Diagnostic::error(code, self.forms.span(form), message).help(help));
    }

    fn value(&mut self, value: Value) -> Cell {
        self.values.push(value);
        Cell::Value(self.values.len() as u32 - 1)
    }

    fn symbol(&mut self, form: Form) -> Option<Cell> {
        let symbol = self.forms.source(form);
        if let Some(label) = self.scope.signature.labels.get(symbol) {
            return Some(Cell::Class(label.sort));
        }
        match literal(symbol) {
            Literal::Value(value) => Some(self.value(value)),
            Literal::Name if symbol.starts_with('?') => self.variable(form),
            Literal::Name => {
                self.errors
                    .extend(self.scope.unknown_name(symbol, self.forms.span(form)));
                None
            }
            bad => {
                self.errors.push(Scope::bad_literal(
                    symbol,
                    bad == Literal::Overflow,
                    self.forms.span(form),
                ));
                None
            }
        }
    }

    fn variable(&mut self, form: Form) -> Option<Cell> {
        let message = format!(
            "`{}` is a variable, and this term has to be ground",
            self.forms.source(form)
        );
        self.error(
            "variable-in-term",
            form,
            &message,
            "variables stand in rules and in `check`",
        );
        None
    }

    fn untyped_leaf(&mut self, form: Form) -> Option<Cell> {
        let symbol = self.forms.source(form);
        if symbol.starts_with('?') {
            return self.variable(form);
        }
        self.untyped_operator(symbol, 0, form)
    }

    fn untyped_operator(&mut self, name: &str, arity: usize, form: Form) -> Option<Cell> {
        match self.scope.untyped(name, arity, self.forms.span(form)) {
            Ok(_) => Some(Cell::Class(UNTYPED_SORT)),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn list(&mut self, form: Form, cells: &[Cell]) -> Option<Cell> {
        let forms = self.forms;
        let mut elements = forms.elements(form);
        let Some(head) = elements.next() else {
            if self.untyped {
                self.error(
                    "empty-list",
                    form,
                    "`()` is not a term",
                    "a term begins with an operator's name",
                );
                return None;
            }
            return Some(self.value(Value::Unit));
        };
        let Some(name) = forms.symbol(head) else {
            self.error("head", head, "a term begins with an operator's name", "");
            return None;
        };
        let arguments = || forms.elements(form).skip(1);
        if self.untyped {
            if name.starts_with('?') {
                self.error(
                    "head",
                    head,
                    &format!("the variable `{name}` stands where an operator belongs"),
                    "",
                );
                return None;
            }
            let cell = self.untyped_operator(name, elements.count(), head);
            let sound = arguments().all(|argument| cells[(argument.0 - self.root) as usize] != Cell::Nothing);
            return cell.filter(|_| sound);
        }
        let cell_of = |argument: Form| cells[(argument.0 - self.root) as usize];
        if let Some((index, declared)) = self.scope.signature.typed(name) {
            let found = elements.count();
            if found != declared.columns.len() {
                self.errors.push(self.scope.arity_clash(index, found, forms.span(form)));
                return None;
            }
            let mut sound = true;
            for (argument, &column) in arguments().zip(&declared.columns) {
                let own = match cell_of(argument) {
                    Cell::Nothing => {
                        sound = false;
                        continue;
                    }
                    Cell::Class(sort) => sort,
                    Cell::Value(value) => SortId::of_value(self.values[value as usize].value_type()),
                };
                if own != column {
                    let signature = self.scope.signature;
                    self.errors
                        .push(sort_mismatch(signature, name, column, own, forms, argument));
                    sound = false;
                }
            }
            return sound.then_some(Cell::Class(declared.output));
        }
        if Primitive::named(name).next().is_none() {
            self.errors.extend(self.scope.unknown_operator(name, forms.span(head)));
            return None;
        }
        let mut operands = Vec::new();
        for argument in arguments() {
            match cell_of(argument) {
                Cell::Nothing => return None,
                Cell::Value(value) => operands.push(&self.values[value as usize]),
                Cell::Class(_) => {
                    let message = format!("`{name}` is a primitive function and takes values, not terms");
                    self.error("sort-mismatch", argument, &message, "");
                    return None;
                }
            }
        }
        let sorts: Vec<ValueType> = operands.iter().map(|value| value.value_type()).collect();
        let Some(primitive) = Primitive::resolve(name, &sorts) else {
            self.errors.push(no_overload(
                name,
                sorts.iter().map(|sort| Some(sort.name())),
                forms,
                form,
            ));
            return None;
        };
        let Some(value) = primitive.apply(&operands) else {
            let call: Vec<String> = operands.iter().map(ToString::to_string).collect();
            let message = format!("`({name} {})` is undefined", call.join(" "));
            let help = "it overflows, divides by zero, or is a predicate that does not hold";
            self.error("undefined", form, &message, help);
            return None;
        };
        Some(self.value(value))
    }

    fn write(&self, root: Form, cells: &[Cell]) -> String {
        let forms = self.forms;
        let end = forms.after(root);
        let mut text = String::new();
        let mut open: Vec<Form> = Vec::new();
        let mut at = root;
        while at < end {
            while open.last().is_some_and(|&end| end <= at) {
                open.pop();
                text.push(')');
            }
            if at != root && !forms.is_head(at) {
                text.push(' ');
            }
            let cell = cells[(at.0 - root.0) as usize];
            let mut next = Form(at.0 + 1);
            match (cell, forms.kind(at)) {
                (Cell::Value(index), _) => {
                    text.push_str(&self.values[index as usize].to_string());
                    next = forms.after(at);
                }
                (_, Kind::List) if self.untyped && forms.elements(at).nth(1).is_none() => {
                    text.push_str(forms.head(at).unwrap_or_default());
                    next = forms.after(at);
                }
                (_, Kind::List) => {
                    text.push('(');
                    open.push(forms.after(at));
                }
                _ => text.push_str(forms.source(at)),
            }
            at = next;
        }
        text.extend(open.iter().map(|_| ')'));
        text
    }
}

/// What to say of an argument of another sort than its column.
pub(crate) fn sort_mismatch(
    signature: &Signature,
    operator: &str,
    column: SortId,
    own: SortId,
    forms: &Forms<'_>,
    argument: Form,
) -> Diagnostic {
    let (wanted, found) = (signature.sort_name(column), signature.sort_name(own));
    let message = format!("`{operator}` takes {wanted} here, and this is {found}");
    let help = match (column.value_type(), own.value_type()) {
        (Some(ValueType::F64), Some(ValueType::I64)) => format!("write `{}.0`", forms.source(argument)),
        (Some(ValueType::String), _) => "a string stands between quotes".to_owned(),
        (Some(ValueType::Rational), Some(_)) => "a fraction is written `(rational 1 2)`".to_owned(),
        _ if found == UNTYPED => "an untyped term stands only in untyped terms".to_owned(),
        _ => String::new(),
    };
    Diagnostic::error("sort-mismatch", forms.span(argument), message).help(help)
}

/// What to say of a primitive function that does not take such arguments.
pub(crate) fn no_overload<'n>(
    name: &str,
    sorts: impl Iterator<Item = Option<&'n str>>,
    forms: &Forms<'_>,
    form: Form,
) -> Diagnostic {
    let found: Vec<&str> = sorts.map(|sort| sort.unwrap_or("?")).collect();
    let variadic = |own: &Primitive| matches!(own.arguments(), [ValueType::String, ..] if own.name() == "+");
    let takes = Primitive::named(name)
        .filter(|own| !variadic(own) || own.arguments().len() == 2)
        .map(|own| {
            let sorts: Vec<&str> = own.arguments().iter().map(|sort| sort.name()).collect();
            format!("({}{})", sorts.join(" "), if variadic(&own) { " …" } else { "" })
        });
    let takes: Vec<String> = takes.collect();
    Diagnostic::error(
        "sort-mismatch",
        forms.span(form),
        format!("`{name}` does not take ({})", found.join(" ")),
    )
    .help(format!("it takes {}", takes.join(", ")))
}
