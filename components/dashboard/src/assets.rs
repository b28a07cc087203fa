//! The page and its parts, as they were built.

use eqmesh_http::{Asked, Problem, answer, etag, tagged};
use spin_sdk::http::Response;

/// A file that is served as it is.
pub(crate) struct Asset {
    /// Where.
    path: &'static str,
    media: &'static str,
    /// Changes whenever the file does.
    tag: &'static str,
    plain: &'static [u8],
    /// The same, with gzip.
    packed: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page runs nothing, shows nothing and reaches nothing but what comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The file, compressed if the client takes that; it asks each time whether it has changed.
pub(crate) fn serve(asked: &Asked, asset: &Asset) -> Result<Response, Problem> {
    let packed = asked.accepts("accept-encoding", "gzip");
    // What differs in its bytes differs in its tag.
    let tag = etag(&format!("{}{}", asset.tag, if packed { "-gz" } else { "" }));
    let mut response = tagged(asked, &tag, || {
        if !packed {
            return Ok(answer(200, asset.media, asset.plain.to_vec()));
        }
        let mut response = answer(200, asset.media, asset.packed.to_vec());
        response.set_header("content-encoding", "gzip");
        Ok(response)
    })?;
    response.set_header("vary", "accept-encoding");
    response.set_header("content-security-policy", POLICY);
    response.set_header("referrer-policy", "no-referrer");
    Ok(response)
}
