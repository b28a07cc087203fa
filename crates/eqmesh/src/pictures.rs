//! Explanations as pictures, one file for each `explain` command.

use std::collections::BTreeSet;
use std::path::Path;

use eqmesh_picture::{Chain, Direction, svg};

use crate::answer::{Answer, Step};
use crate::report::Outcome;

/// The name and the text of an SVG file for each explanation, in order. Named by the line of the command (and by its file, where that is not the
/// first): `explain-86.svg`.
pub fn pictures(results: &[Outcome]) -> Vec<(String, String)> {
    let mut names = BTreeSet::new();
    let mut pictures = Vec::new();
    for outcome in results {
        let Answer::Explain {
            left,
            right,
            steps,
            lemmas,
        } = &outcome.answer
        else {
            continue;
        };
        let title = format!("{left} = {right}");
        let mut chains = vec![chain(title.clone(), left, steps)];
        for (number, lemma) in lemmas.iter().enumerate() {
            let heading = format!("lemma {number}: {} = {}", lemma.left, lemma.right);
            chains.push(chain(heading, &lemma.left, &lemma.steps));
        }
        let stem = outcome.file.as_deref().map(Path::new).and_then(Path::file_stem);
        let stem = stem.map_or_else(String::new, |stem| format!("{}-", stem.display()));
        let name = format!("{stem}explain-{}", outcome.line);
        // Several may stand on one line, or in files of one name.
        let name = (1..=names.len() + 1)
            .map(|count| {
                if count == 1 {
                    format!("{name}.svg")
                } else {
                    format!("{name}-{count}.svg")
                }
            })
            .find(|name| names.insert(name.clone()))
            .expect("one of them is free");
        pictures.push((name, svg(&title, &chains)));
    }
    pictures
}

fn chain(heading: String, start: &str, steps: &[Step]) -> Chain {
    Chain {
        heading,
        start: start.to_owned(),
        steps: steps.iter().map(step).collect(),
    }
}

fn step(own: &Step) -> eqmesh_picture::Step {
    eqmesh_picture::Step {
        before: own.before.clone(),
        after: own.after.clone(),
        place: own.place.clone(),
        rule: own.by().to_owned(),
        direction: match own.rule {
            Some(_) if own.is_forward() => Direction::Forward,
            Some(_) => Direction::Backward,
            None => Direction::Neither,
        },
        source: own.source(),
        substitution: own
            .substitution
            .iter()
            .map(|(name, term)| (name.clone(), term.clone()))
            .collect(),
        lemmas: own.lemmas.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(file: Option<&str>, line: u32) -> Outcome {
        Outcome {
            file: file.map(str::to_owned),
            line,
            answer: Answer::Explain {
                left: "a".to_owned(),
                right: "a".to_owned(),
                steps: Vec::new(),
                lemmas: Vec::new(),
            },
        }
    }

    #[test]
    fn every_explanation_has_a_file_of_its_own() {
        let check = Outcome {
            file: None,
            line: 1,
            answer: Answer::Check {
                input: String::new(),
                holds: true,
            },
        };
        let results = [
            check,
            explained(None, 3),
            explained(None, 3),
            explained(Some("lib/a.egg"), 3),
            explained(Some("other/a.egg"), 3),
        ];
        let names: Vec<String> = pictures(&results).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "explain-3.svg",
                "explain-3-2.svg",
                "a-explain-3.svg",
                "a-explain-3-2.svg"
            ]
        );
    }
}
