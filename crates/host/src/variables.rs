//! Values of application variables, and the templates `{{ name }}` that refer to them.

use std::collections::BTreeMap;

use thiserror::Error;

/// The environment variable that sets an application variable: `SPIN_VARIABLE_` and its name in upper case.
pub fn environment_name(name: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase())
}

const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// Values of application variables from outside the manifest, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Asked for by name: they win, and a name that the manifest does not declare is an error.
    pub given: BTreeMap<String, String>,
    /// From an environment that may be meant for other applications, too: names that the manifest does not declare are ignored.
    pub environment: BTreeMap<String, String>,
}

impl Values {
    pub(crate) fn get(&self, name: &str) -> Option<&String> {
        self.given.get(name).or_else(|| self.environment.get(name))
    }
}

/// The application variables that are set in an environment (`SPIN_VARIABLE_X`), by name in lower case.
pub fn from_environment(environment: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let named = |(name, value): (String, String)| {
        let name = name.strip_prefix(ENVIRONMENT_PREFIX)?;
        Some((name.to_ascii_lowercase(), value))
    };
    environment.into_iter().filter_map(named).collect()
}

/// Why a template cannot be read or filled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("`{{{{` is not closed by `}}}}`")]
    Open,
    /// `}}` without `{{`.
    #[error("`}}}}` closes nothing")]
    Close,
    /// Nothing, or something with spaces or braces, stands between the braces.
    #[error("`{{{{{0}}}}}` names no variable")]
    Name(String),
    /// The variable is not declared.
    #[error("there is no application variable `{0}`")]
    Unknown(String),
}

/// A text with references to variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

impl<'a> Template<'a> {
    /// Reads a template. A text without double braces is one, too.
    pub fn parse(text: &'a str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            let (before, after) = rest.split_at(open);
            plain(&mut parts, before)?;
            let (name, after) = after[2..].split_once("}}").ok_or(TemplateError::Open)?;
            let trimmed = name.trim();
            if trimmed.is_empty() || trimmed.contains(|letter: char| letter.is_whitespace() || letter == '{') {
                return Err(TemplateError::Name(name.to_owned()));
            }
            parts.push(Part::Variable(trimmed));
            rest = after;
        }
        plain(&mut parts, rest)?;
        Ok(Self { parts })
    }

    /// The text with the values in it.
    pub fn fill(&self, values: &BTreeMap<String, String>) -> Result<String, TemplateError> {
        let part = |part: &Part<'_>| match part {
            Part::Text(text) => Ok((*text).to_owned()),
            Part::Variable(name) => values
                .get(*name)
                .cloned()
                .ok_or_else(|| TemplateError::Unknown((*name).to_owned())),
        };
        self.parts.iter().map(part).collect()
    }
}

fn plain<'a>(parts: &mut Vec<Part<'a>>, text: &'a str) -> Result<(), TemplateError> {
    if text.contains("}}") {
        return Err(TemplateError::Close);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        let values = BTreeMap::from([("host".to_owned(), "mesh.example".to_owned())]);
        let fill = |text| Template::parse(text).and_then(|template| template.fill(&values));
        assert_eq!(
            fill("https://{{ host }}:{{host}}/"),
            Ok("https://mesh.example:mesh.example/".into())
        );
        assert_eq!(fill("{ plain }"), Ok("{ plain }".into()));
        assert_eq!(fill(""), Ok(String::new()));
        assert_eq!(fill("{{ host"), Err(TemplateError::Open));
        assert_eq!(fill("host }}"), Err(TemplateError::Close));
        assert_eq!(fill("{{ }}"), Err(TemplateError::Name(" ".into())));
        assert_eq!(fill("{{ port }}"), Err(TemplateError::Unknown("port".into())));
    }

    #[test]
    fn the_environment_names_variables_in_upper_case() {
        let environment = [("SPIN_VARIABLE_API_KEY", "k"), ("PATH", "/bin")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = BTreeMap::from([("api_key".to_owned(), "k".to_owned())]);
        assert_eq!(from_environment(environment), expected);
        assert_eq!(environment_name("api_key"), "SPIN_VARIABLE_API_KEY");
    }
}
