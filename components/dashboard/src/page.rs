//! `GET /plain`: the status as a page without scripts, for browsers that run none.

use std::fmt::Write as _;

use eqmesh_http::answer;
use eqmesh_view::network::{Network, Shown};
use spin_sdk::http::Response;

const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left; }
td.number, th.number { text-align: right; }
code { font-size: .85em; }
.table { overflow-x: auto; }";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The status as a page.
pub(crate) fn serve(network: &Network) -> Response {
    let mut response = answer(200, "text/html; charset=utf-8", page(network).into_bytes());
    response.set_header(
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    response.set_header("referrer-policy", "no-referrer");
    response
}

/// The status as a page that renews itself. Without scripts.
fn page(status: &Network) -> String {
    let mut rows = String::new();
    for agent in &status.agents {
        let row = match agent {
            Shown::State { state: own, .. } => format!(
                "<tr><th scope=\"row\"><a href=\"/agent/{0}/state\">{0}</a></th><td>{1}</td><td>{2}</td><td>{3}</td>\
                 <td class=\"number\">{4}</td><td class=\"number\">{5}</td><td class=\"number\">{6}</td><td class=\"number\">{7}</td><td><code>{8}</code></td></tr>",
                own.id,
                escape(own.color.as_deref().unwrap_or("all")),
                escape(&own.life),
                if own.converged { "yes" } else { "no" },
                own.facts,
                own.enodes,
                own.eclasses,
                own.queue.inbox,
                escape(own.state_digest.get(..16).unwrap_or("")),
            ),
            Shown::Silent { id, error, .. } => {
                format!(
                    "<tr><th scope=\"row\">{id}</th><td colspan=\"8\">does not answer: {}</td></tr>",
                    escape(error)
                )
            }
        };
        rows.push_str(&row);
    }
    let mut page = String::new();
    let written = write!(
        page,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"5\"><title>eqmesh</title><style>{STYLE}</style></head><body><main><h1>eqmesh</h1>\
         <p role=\"status\">{}</p><div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"Agents\"><table><caption>Agents</caption><thead><tr><th scope=\"col\">agent</th><th scope=\"col\">color</th>\
         <th scope=\"col\">life</th><th scope=\"col\">converged</th><th scope=\"col\" class=\"number\">facts</th>\
         <th scope=\"col\" class=\"number\">e-nodes</th><th scope=\"col\" class=\"number\">e-classes</th><th scope=\"col\" class=\"number\">inbox</th>\
         <th scope=\"col\">state</th></tr></thead><tbody>{rows}</tbody></table></div>\
         <p><a href=\"/\">The dashboard</a>. For machines: <a href=\"/status\">status</a>, <a href=\"/openapi.json\">interface</a>.</p></main></body></html>",
        escape(&status.summary)
    );
    written.expect("a string takes all that is written");
    page
}
