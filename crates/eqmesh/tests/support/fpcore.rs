//! FPCore expressions of sums, differences, products and quotients as plain terms.

use std::collections::BTreeMap;

use eqmesh_language::reader::{Form, Forms, Kind};

/// The bodies in a file that use nothing but `+ - * /`, numbers and names, with `let` put in place.
pub(crate) fn expressions(text: &str) -> Vec<String> {
    // Brackets are parentheses there.
    let text = text.replace('[', "(").replace(']', ")");
    let forms = Forms::read(&text).expect("FPCore is s-expressions");
    let bodies = forms.roots().filter(|&form| forms.head(form) == Some("FPCore"));
    let bodies = bodies.filter_map(|form| forms.elements(form).last());
    bodies.filter_map(|body| term(&forms, body, &BTreeMap::new())).collect()
}

fn term(forms: &Forms<'_>, form: Form, bound: &BTreeMap<String, String>) -> Option<String> {
    if forms.kind(form) == Kind::Symbol {
        let name = forms.source(form);
        return Some(bound.get(name).cloned().unwrap_or_else(|| name.to_owned()));
    }
    let elements: Vec<Form> = forms.elements(form).collect();
    let parts = |from: usize| {
        elements[from..]
            .iter()
            .map(|&own| term(forms, own, bound))
            .collect::<Option<Vec<_>>>()
    };
    match (forms.head(form)?, elements.len()) {
        ("let", 3) => {
            let mut inner = bound.clone();
            for binding in forms.elements(elements[1]) {
                let pair: Vec<Form> = forms.elements(binding).collect();
                inner.insert(forms.source(pair[0]).to_owned(), term(forms, pair[1], bound)?);
            }
            term(forms, elements[2], &inner)
        }
        ("-", 2) => Some(format!("(* -1 {})", parts(1)?[0])),
        (operator @ ("+" | "-" | "*" | "/"), 3) => {
            let parts = parts(1)?;
            Some(format!("({operator} {} {})", parts[0], parts[1]))
        }
        _ => None,
    }
}
