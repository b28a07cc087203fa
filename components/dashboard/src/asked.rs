//! Requests, taken apart.

use eqmesh_query::Query;
use spin_sdk::http::Request;

/// A request, taken apart.
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) query: Query,
}

impl Asked {
    pub(crate) fn of(request: Request) -> Asked {
        let query = Query::parse(request.query());
        Asked { request, query }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name).and_then(|value| value.as_str())
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
        self.header("if-none-match")
            .is_some_and(|tags| eqmesh_query::has(tags, tag))
    }
}
