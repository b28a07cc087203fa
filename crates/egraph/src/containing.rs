//! A search for classes by a piece of text.

use std::collections::BTreeMap;

use crate::graph::{ClassId, EGraph, RowId};
use crate::index::Index;
use crate::naming::Naming;
use crate::term;

/// Texts of nodes are searched up to here, in bytes.
const MAX_SEARCHED: usize = 4_096;

/// The characters between the words of a term.
const BETWEEN: [char; 3] = ['(', ')', ' '];

/// Where a word, or a part of one, occurs: in which operators' names, and in the least terms of which classes.
struct Occurrence {
    /// By operator id.
    operators: Vec<bool>,
    /// By rank: in the least term of that class.
    least: Vec<bool>,
    /// By value id.
    values: BTreeMap<u32, bool>,
    word: String,
}

impl Occurrence {
    /// O(e-classes × arguments of their first nodes).
    fn of(word: &str, graph: &EGraph, naming: &Naming) -> Occurrence {
        let mut operators = vec![false; graph.table_count()];
        for (id, operator) in graph.operators() {
            operators[id.0 as usize] = operator.name.contains(word);
        }
        let mut occurrence = Occurrence {
            operators,
            least: Vec::with_capacity(naming.len()),
            values: BTreeMap::new(),
            word: word.to_owned(),
        };
        // Arguments of a least term rank before it.
        for rank in 0..naming.len() {
            let least = naming
                .ranked(rank)
                .is_some_and(|row| occurrence.holds(graph, naming, row));
            occurrence.least.push(least);
        }
        occurrence
    }

    /// Whether the word occurs in a node, written over the least terms of its classes. These must have been looked at before.
    fn holds(&mut self, graph: &EGraph, naming: &Naming, row: RowId) -> bool {
        let operator = graph.operator_of(row);
        if self.operators[operator.0 as usize] {
            return true;
        }
        let class_columns = graph.class_columns(operator.0);
        graph.arguments(row).iter().enumerate().any(|(i, &argument)| {
            if class_columns >> i & 1 == 1 {
                self.least[naming.rank(argument) as usize]
            } else {
                let word = &self.word;
                let value = self.values.entry(argument);
                *value.or_insert_with(|| graph.value(argument).to_string().contains(word.as_str()))
            }
        })
    }
}

/// The classes with a node whose text, over the least terms of its classes, contains this: in canonical order, so that the lowest terms come first. At most `limit`, and whether there are
/// more. Everything contains an empty text. O(e-nodes) for a word, and for several words linear in the texts besides in which all of them occur, of each the first 4,096 bytes.
pub fn containing(graph: &EGraph, index: &Index, naming: &Naming, text: &str, limit: usize) -> (Vec<ClassId>, bool) {
    let words: Vec<&str> = text.split(BETWEEN).filter(|word| !word.is_empty()).collect();
    let mut occurrences: Vec<Occurrence> = words.iter().map(|word| Occurrence::of(word, graph, naming)).collect();
    let is_word = words == [text];
    let mut found = Vec::new();
    for rank in 0..naming.len() {
        let Some(first) = naming.ranked(rank) else { break };
        let class = graph.class_of(first);
        let contains = index.of_class(class.0).iter().any(|&row| {
            let row = RowId(row);
            occurrences.iter_mut().all(|own| own.holds(graph, naming, row))
                && (is_word || {
                    let (written, _) = term::write_within(graph, row, |class| naming.least(class), MAX_SEARCHED);
                    written.contains(text)
                })
        });
        if contains {
            if found.len() == limit {
                return (found, true);
            }
            found.push(class);
        }
    }
    (found, false)
}
