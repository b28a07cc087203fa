//! The parameters of a query, and the entity tags that a client has.

/// The parameters of a query, in their order.
///
/// ```
/// use eqmesh_http::Query;
///
/// let query = Query::parse("term=(Num+1)&variants=3&expand=a&expand=b&agents=0,+2");
/// assert_eq!(query.parameter("term"), Some("(Num 1)"));
/// assert_eq!(query.number("variants", 1, 1000), Ok(3));
/// assert_eq!(query.all("expand").collect::<Vec<_>>(), ["a", "b"]);
/// assert_eq!(query.list("agents").collect::<Vec<_>>(), ["0", "2"]);
/// let error = query.only(&["term", "variants", "expand"]).unwrap_err();
/// assert_eq!(error.to_string(), "there is no parameter `agents`; there are term, variants, expand");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// What is wrong with a query: says which parameter, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QueryError(String);

impl Query {
    /// Takes a query apart, as the [URL standard](https://url.spec.whatwg.org/#urlencoded-parsing) has it. Every text is one. O(n).
    pub fn parse(text: &str) -> Query {
        Query(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// A parameter; the first, if it occurs several times.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(own, _)| own == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// A parameter each time that it occurs.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The parts of a parameter that is a list with commas in between; none if it is not there.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.parameter(name).unwrap_or_default().split(',');
        found.map(str::trim).filter(|part| !part.is_empty())
    }

    /// A parameter that must be there, and not be empty.
    pub fn needed(&self, name: &str) -> Result<&str, QueryError> {
        let found = self.parameter(name).filter(|value| !value.is_empty());
        found.ok_or_else(|| QueryError(format!("the parameter `{name}` is missing")))
    }

    /// A parameter that is a whole number from 0 to `most`.
    pub fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, QueryError> {
        let Some(text) = self.parameter(name) else {
            return Ok(default);
        };
        match text.parse::<u64>() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(QueryError(format!(
                "the parameter `{name}` is a whole number from 0 to {most}, not `{text}`"
            ))),
        }
    }

    /// Fails if there are parameters besides these: a slip of the pen is not to be ignored.
    pub fn only(&self, known: &[&str]) -> Result<(), QueryError> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) if known.is_empty() => Err(QueryError(format!("there is no parameter `{name}` here"))),
            Some((name, _)) => Err(QueryError(format!(
                "there is no parameter `{name}`; there are {}",
                known.join(", ")
            ))),
            None => Ok(()),
        }
    }
}

/// Whether a header `If-None-Match` names an entity tag (with its quotes): by itself, as a weak one, or by `*` (RFC 9110, 13.1.2).
pub(crate) fn has(if_none_match: &str, tag: &str) -> bool {
    let tags = if_none_match.split(',').map(|own| own.trim().trim_start_matches("W/"));
    tags.into_iter().any(|own| own == "*" || own == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_has_its_default_and_what_is_wrong_is_named() {
        let query = Query::parse("limit=7&limit=9&empty=&big=18446744073709551616");
        assert_eq!(
            (query.number("limit", 1, 7), query.number("none", 5, 7)),
            (Ok(7), Ok(5))
        );
        assert!(
            query
                .number("limit", 1, 6)
                .unwrap_err()
                .to_string()
                .contains("from 0 to 6, not `7`")
        );
        assert!(query.number("big", 1, u64::MAX).is_err());
        assert!(query.needed("empty").is_err());
        assert!(
            query
                .needed("none")
                .unwrap_err()
                .to_string()
                .contains("`none` is missing")
        );
        assert_eq!(query.list("empty").count() + query.list("none").count(), 0);
        assert!(
            query
                .only(&[])
                .unwrap_err()
                .to_string()
                .contains("no parameter `limit` here")
        );
        assert_eq!(query.only(&["limit", "empty", "big"]), Ok(()));
    }

    #[test]
    fn a_star_is_every_tag_and_a_weak_tag_counts() {
        assert!(has("W/\"a\", \"b\"", "\"b\"") && !has("\"a\"", "\"b\""));
        assert!(has("*", "\"x\"") && has("\"y\" , W/\"x\"", "\"x\""));
        assert!(!has("", "\"x\"") && !has("x", "\"x\""));
    }
}
