//! Requests, taken apart.

use spin_sdk::http::Request;

use crate::problem::Problem;
use crate::query::{Query, has};

/// A request, taken apart.
pub struct Asked {
    /// As it came, with its whole body.
    pub request: Request,
    /// The parameters of its query.
    pub query: Query,
}

impl Asked {
    /// Takes a request apart. O(its query).
    pub fn of(request: Request) -> Asked {
        let query = Query::parse(request.query());
        Asked { request, query }
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name).and_then(|value| value.as_str())
    }

    /// Whether a header lists a word as acceptable (RFC 9110, 12.5): by its name or by `*`, and not with a weight of 0. `*/*` names no type, so that it leaves the choice to the server.
    pub fn accepts(&self, header: &str, word: &str) -> bool {
        let mut listed = self.header(header).unwrap_or_default().split(',');
        listed.any(|own| {
            let mut parts = own.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)));
            !refused && (name.eq_ignore_ascii_case(word) || name == "*")
        })
    }

    /// Whether the client has what goes by this entity tag (with its quotes) already.
    pub fn has(&self, tag: &str) -> bool {
        self.header("if-none-match").is_some_and(|tags| has(tags, tag))
    }

    /// Whether a browser sends this for a page of another origin than the one that it asks and the one that is trusted, if any. What changes something is not to be
    /// done then: some requests are sent without asking first (a "simple" one of CORS), whatever the page may read of the answer. Who is no browser sends neither header that tells.
    ///
    /// As in Go's [`CrossOriginProtection`](https://pkg.go.dev/net/http#CrossOriginProtection): by `Sec-Fetch-Site`, or by `Origin` where a browser is too old for that.
    pub fn is_foreign(&self, trusted: Option<&str>) -> bool {
        let origin = self.header("origin");
        if origin.is_some() && origin == trusted {
            return false;
        }
        match self.header("sec-fetch-site") {
            Some(site) => !matches!(site, "same-origin" | "none"),
            None => origin.is_some_and(|origin| {
                let of = authority(origin);
                !of.zip(authority(self.request.uri()))
                    .is_some_and(|(of, asked)| of.eq_ignore_ascii_case(asked))
            }),
        }
    }

    /// The body's type without parameters, in lower case; empty if it is not given.
    pub fn media_type(&self) -> String {
        let media = self.header("content-type").unwrap_or_default();
        media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The body, if it has at most so many bytes; [`Problem::too_large`] otherwise.
    pub fn body(&self, limit: usize) -> Result<&[u8], Problem> {
        let body = self.request.body();
        if body.len() > limit {
            return Err(Problem::too_large(limit));
        }
        Ok(body)
    }
}

/// Host and port of a URL, or of an origin.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(header: &str, value: &str) -> Asked {
        Asked::of(Request::get("/").header(header, value).build())
    }

    #[test]
    fn what_is_accepted_is_listed_and_has_weight() {
        let accepts = |value: &str| asked("accept", value).accepts("accept", "image/svg+xml");
        assert!(accepts("image/svg+xml") && accepts("text/html, IMAGE/SVG+XML;q=0.2"));
        assert!(!accepts("image/svg+xml;q=0") && !accepts("*/*") && !accepts("image/svg") && !accepts(""));
        let gzip = |value: &str| asked("accept-encoding", value).accepts("accept-encoding", "gzip");
        assert!(gzip("br, gzip") && gzip("*") && !gzip("gzip; q=0, br"));
    }

    #[test]
    fn pages_of_other_origins_are_foreign_and_programs_are_not() {
        let foreign = |headers: &[(&str, &str)]| {
            let mut request = Request::post("http://127.0.0.1:3000/agent/0/program", "");
            for (name, value) in headers {
                request.header(*name, *value);
            }
            Asked::of(request.build()).is_foreign(Some("https://trusted.example"))
        };
        assert!(!foreign(&[]));
        assert!(!foreign(&[("origin", "http://127.0.0.1:3000")]));
        assert!(!foreign(&[
            ("origin", "http://127.0.0.1:3000"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!foreign(&[
            ("origin", "https://trusted.example"),
            ("sec-fetch-site", "cross-site")
        ]));
        assert!(foreign(&[("origin", "https://evil.example")]));
        assert!(foreign(&[("origin", "null")]));
        assert!(foreign(&[
            ("origin", "http://127.0.0.1:3001"),
            ("sec-fetch-site", "same-site")
        ]));
    }

    #[test]
    fn a_media_type_is_without_parameters_and_a_body_without_excess() {
        assert_eq!(
            asked("content-type", "Text/Plain; charset=utf-8").media_type(),
            "text/plain"
        );
        assert_eq!(asked("accept", "").media_type(), "");
        let long = Asked::of(Request::post("/", "four").build());
        assert_eq!(long.body(4).unwrap(), b"four");
        assert_eq!(*long.body(3).unwrap_err().answer().status(), 413);
    }
}
