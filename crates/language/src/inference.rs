//! The inference of sorts in patterns.
//!
//! An operator's name determines its sorts; a primitive function may have several, and is settled by what is known of its arguments
//! and result.

use eqmesh_egraph::primitive::Primitive;

use crate::diagnostic::Diagnostic;
use crate::ground::{no_overload, sort_mismatch};
use crate::pattern::{Node, Pattern, Shape};
use crate::reader::Forms;
use crate::scope::Scope;
use crate::signature::SortId;

impl Pattern {
    /// Infers every sort. `same`: groups of nodes that must be of one sort.
    pub(crate) fn infer(
        &mut self,
        scope: &Scope<'_>,
        forms: &Forms<'_>,
        same: &[Vec<u32>],
        errors: &mut Vec<Diagnostic>,
    ) {
        let before = errors.len();
        for node in 0..self.nodes.len() {
            if let Shape::Call(operator) = self.nodes[node].shape {
                let declared = scope.operator(operator);
                let arguments = std::mem::take(&mut self.nodes[node].arguments);
                for (&argument, &column) in arguments.iter().zip(&declared.columns) {
                    if let Err(own) = self.settle(argument, column) {
                        let place = self.nodes[argument as usize].form;
                        let name = &declared.operator.name;
                        errors.push(sort_mismatch(scope.signature, name, column, own, forms, place));
                    }
                }
                self.nodes[node].arguments = arguments;
            }
        }
        for group in same {
            for pair in group.windows(2) {
                self.unify(pair[0], pair[1], scope, forms, errors);
            }
        }
        let primitives: Vec<u32> = (0..self.nodes.len() as u32)
            .filter(|&node| matches!(self.nodes[node as usize].shape, Shape::Primitive(_)))
            .collect();
        let mut open = primitives.clone();
        loop {
            let count = open.len();
            let mut still = Vec::new();
            for node in open {
                match self.narrow(node, scope, forms) {
                    Ok(true) => {}
                    Ok(false) => still.push(node),
                    Err(error) => {
                        errors.push(error);
                        self.nodes[node as usize].shape = Shape::Bad;
                    }
                }
            }
            open = still;
            if open.len() == count || open.is_empty() {
                break;
            }
        }
        // A second pass sees what later ones settled.
        for node in primitives {
            if matches!(self.nodes[node as usize].shape, Shape::Primitive(_))
                && !open.contains(&node)
                && let Err(error) = self.narrow(node, scope, forms)
            {
                errors.push(error);
            }
        }
        if errors.len() == before {
            for node in open {
                let form = self.nodes[node as usize].form;
                let name = forms.head(form).unwrap_or_default();
                let message = format!("the sorts of the arguments of `{name}` cannot be inferred");
                let help = "bind its variables in columns of operators";
                errors.push(Diagnostic::error("ambiguous-sort", forms.span(form), message).help(help));
            }
        }
    }

    /// Gives a node a sort; fails with the other sort that it has already.
    fn settle(&mut self, node: u32, sort: SortId) -> Result<(), SortId> {
        let slot = self.find(self.nodes[node as usize].slot);
        match &mut self.slots[slot as usize].1 {
            Some(own) if *own != sort && !matches!(self.nodes[node as usize].shape, Shape::Bad) => Err(*own),
            own => {
                *own = Some(sort);
                Ok(())
            }
        }
    }

    fn unify(&mut self, a: u32, b: u32, scope: &Scope<'_>, forms: &Forms<'_>, errors: &mut Vec<Diagnostic>) {
        let (x, y) = (
            self.find(self.nodes[a as usize].slot),
            self.find(self.nodes[b as usize].slot),
        );
        match (self.slots[x as usize].1, self.slots[y as usize].1) {
            (Some(left), Some(right)) if left != right => {
                let name = |sort| scope.signature.sort_name(sort);
                let message = format!("this is {}, and what it is to equal is {}", name(right), name(left));
                let place = forms.span(self.nodes[b as usize].form);
                errors.push(Diagnostic::error("sort-mismatch", place, message));
            }
            (left, right) => {
                self.slots[x as usize].1 = left.or(right);
                self.slots[y as usize].0 = x;
            }
        }
    }

    /// Leaves of a primitive's possibilities those that fit, and settles its sorts when one is left: then true.
    fn narrow(&mut self, node: u32, scope: &Scope<'_>, forms: &Forms<'_>) -> Result<bool, Diagnostic> {
        let Node {
            shape, arguments, form, ..
        } = &self.nodes[node as usize];
        let (Shape::Primitive(candidates), form) = (shape, *form) else {
            return Ok(true);
        };
        let known: Vec<Option<SortId>> = arguments.iter().map(|&argument| self.sort(argument)).collect();
        let result = self.sort(node);
        let fits = |own: &Primitive| {
            let sorts = own.arguments().iter().map(|&sort| SortId::of_value(sort));
            sorts
                .zip(&known)
                .all(|(sort, known)| known.is_none_or(|known| known == sort))
                && result.is_none_or(|known| known == SortId::of_value(own.result()))
        };
        let left: Vec<Primitive> = candidates.iter().copied().filter(fits).collect();
        let name = candidates.first().map_or("", |own| own.name());
        match left[..] {
            [] => {
                let sorts = known
                    .iter()
                    .map(|sort| sort.map(|sort| scope.signature.sort_name(sort)));
                Err(no_overload(name, sorts, forms, form))
            }
            [only] => {
                let arguments = arguments.clone();
                for (argument, &sort) in arguments.into_iter().zip(only.arguments()) {
                    // Whatever is known was compared above.
                    let _known = self.settle(argument, SortId::of_value(sort));
                }
                let _known = self.settle(node, SortId::of_value(only.result()));
                self.nodes[node as usize].shape = Shape::Primitive(left);
                Ok(true)
            }
            _ => {
                self.nodes[node as usize].shape = Shape::Primitive(left);
                Ok(false)
            }
        }
    }
}
