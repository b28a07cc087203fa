//! Requests, taken apart.

use spin_sdk::http::Request;

use crate::answer::Problem;

/// A request, taken apart.
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The query's parameters, in their order.
    parameters: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn of(request: Request) -> Asked {
        let parameters = form_urlencoded::parse(request.query().as_bytes())
            .into_owned()
            .collect();
        Asked { request, parameters }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name).and_then(|value| value.as_str())
    }

    /// A parameter; the first, if it occurs several times.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(own, _)| own == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// A parameter each time that it occurs.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.parameters.iter().filter(move |(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The parts of a parameter that is a list with commas in between; none if it is not there.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.parameter(name).unwrap_or_default().split(',');
        found.map(str::trim).filter(|part| !part.is_empty())
    }

    /// A parameter that is a whole number within bounds.
    pub(crate) fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(text) = self.parameter(name) else {
            return Ok(default);
        };
        match text.parse::<u64>() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(Problem::bad_request(format!(
                "the parameter `{name}` is a whole number from 0 to {most}, not `{text}`"
            ))),
        }
    }

    /// Fails if there are parameters besides these: a slip of the pen is not to be ignored.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) if known.is_empty() => {
                Err(Problem::bad_request(format!("there is no parameter `{name}` here")))
            }
            Some((name, _)) => Err(Problem::bad_request(format!(
                "there is no parameter `{name}`; there are {}",
                known.join(", ")
            ))),
            None => Ok(()),
        }
    }

    /// Whether a header lists a word as acceptable: by its name or by `*`, and not with a weight of 0.
    pub(crate) fn accepts(&self, header: &str, word: &str) -> bool {
        let mut listed = self.header(header).unwrap_or_default().split(',');
        listed.any(|own| {
            let mut parts = own.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)));
            !refused && (name.eq_ignore_ascii_case(word) || name == "*")
        })
    }

    /// Whether the client has what goes by this tag (with its quotes) already.
    pub(crate) fn has(&self, tag: &str) -> bool {
        let tags = self.header("if-none-match").unwrap_or_default().split(',');
        tags.map(|own| own.trim().trim_start_matches("W/"))
            .any(|own| own == "*" || own == tag)
    }
}
