//! `:key value…` at the end of a statement.

use crate::reader::{Form, Forms};

/// One key and the values up to the next key.
#[derive(Clone, Debug)]
pub(crate) struct Setting<'t> {
    pub(crate) key: Form,
    pub(crate) name: &'t str,
    pub(crate) values: Vec<Form>,
}

/// Whether it is a key.
pub(crate) fn is_key(forms: &Forms<'_>, form: Form) -> bool {
    forms
        .symbol(form)
        .is_some_and(|symbol| symbol.len() > 1 && symbol.starts_with(':'))
}

/// The settings of a list that begins with a key.
pub(crate) fn settings<'t>(forms: &Forms<'t>, list: &[Form]) -> Vec<Setting<'t>> {
    let mut settings: Vec<Setting<'t>> = Vec::new();
    for &form in list {
        if is_key(forms, form) {
            settings.push(Setting {
                key: form,
                name: forms.source(form),
                values: Vec::new(),
            });
        } else if let Some(last) = settings.last_mut() {
            last.values.push(form);
        }
    }
    settings
}
