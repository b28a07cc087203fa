//! Requests taken apart and answers put together, as all HTTP components do it: the parameters of a query, entity tags, JSON, and problem details
//! ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). Over the Spin SDK's types of requests and responses, and without I/O.
//!
//! ```
//! use eqmesh_http::{Asked, Problem, etag, finish, json, tagged};
//! use spin_sdk::http::{Request, Response};
//!
//! fn serve(asked: &Asked) -> Result<Response, Problem> {
//!     asked.query.only(&["term"])?;
//!     let term = asked.query.needed("term")?;
//!     tagged(asked, &etag("2b"), || Ok(json(200, &[term])))
//! }
//!
//! let ask = |uri: &str, tag: &str| {
//!     let asked = Asked::of(Request::get(uri).header("if-none-match", tag).build());
//!     finish(asked.request.method(), serve(&asked).unwrap_or_else(Problem::answer))
//! };
//! let answer = ask("/terms?term=(Num+1)", "");
//! assert_eq!((*answer.status(), answer.body()), (200, &b"[\"(Num 1)\"]"[..]));
//! assert_eq!(*ask("/terms?term=(Num+1)", "\"2b\"").status(), 304);
//! let refused = String::from_utf8(ask("/terms", "").into_body()).unwrap();
//! assert!(refused.contains(r##""type":"#bad-request""##) && refused.contains("`term` is missing"));
//! ```

mod answer;
mod problem;
mod query;
mod request;

pub use answer::{answer, etag, finish, json, tagged, unchanged};
pub use problem::Problem;
pub use query::{Query, QueryError};
pub use request::Asked;
