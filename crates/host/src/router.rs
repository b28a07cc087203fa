//! Which component answers a path, by Spin's rules: an exact route before a wildcard, and the longest prefix first.

use std::fmt;
use std::sync::Arc;

use routefinder::RouteSpec;
use thiserror::Error;

/// A route that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the route {route} cannot be read: {reason}")]
pub struct RouteError {
    route: String,
    reason: String,
}

/// One route of the manifest.
#[derive(Debug, Clone)]
pub struct Route {
    /// As the manifest writes it: `/agent/:id/...`.
    raw: Arc<str>,
    /// With a leading slash, without a trailing one.
    based: Arc<str>,
    component: Arc<str>,
}

impl Route {
    /// Reads a route: segments, of which `:name` matches any one and a trailing `/...` any number.
    pub fn parse(raw: &str, component: &str) -> Result<Self, RouteError> {
        let absolute = if raw.starts_with('/') {
            raw.to_owned()
        } else {
            format!("/{raw}")
        };
        let based = absolute.strip_suffix('/').unwrap_or(&absolute);
        let route = Self {
            raw: raw.into(),
            based: based.into(),
            component: component.into(),
        };
        route.spec().map(|_| route)
    }

    fn spec(&self) -> Result<RouteSpec, RouteError> {
        let prefix = self
            .based
            .strip_suffix("/...")
            .or_else(|| self.based.strip_suffix("/*"));
        // The router panics on requests if a wildcard stands elsewhere.
        if prefix.unwrap_or(&self.based).contains('*') {
            let reason = "a wildcard stands at the end, as `/...`".to_owned();
            return Err(RouteError {
                route: self.raw.to_string(),
                reason,
            });
        }
        let pattern = match prefix {
            Some(prefix) => format!("{prefix}/*"),
            None => self.based.to_string(),
        };
        RouteSpec::try_from(pattern.as_str()).map_err(|reason| RouteError {
            route: self.raw.to_string(),
            reason,
        })
    }

    /// The route that a request by service chaining is taken to match.
    pub(crate) fn chained(component: &str) -> Self {
        Self {
            raw: "/...".into(),
            based: "/...".into(),
            component: component.into(),
        }
    }

    /// The route as the manifest writes it.
    pub fn raw(&self) -> &Arc<str> {
        &self.raw
    }

    /// The route with a leading slash.
    pub fn based(&self) -> &str {
        &self.based
    }

    /// The id of the component that answers.
    pub fn component(&self) -> &Arc<str> {
        &self.component
    }

    /// The route as written, without a trailing wildcard.
    pub fn prefix(&self) -> &str {
        self.raw.strip_suffix("/...").unwrap_or(&self.raw)
    }
}

/// A path that a route matches.
#[derive(Debug, Clone)]
pub struct Match {
    /// The route.
    pub route: Route,
    /// What the trailing wildcard matched, with a leading slash if it is not empty; empty for an exact route.
    pub rest: String,
    /// What the named segments matched, not decoded.
    pub named: Vec<(String, String)>,
}

/// All routes of an application.
#[derive(Clone)]
pub struct Router {
    routes: Arc<routefinder::Router<Route>>,
}

impl fmt::Debug for Router {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.routes.iter().map(|(_, route)| route))
            .finish()
    }
}

impl Router {
    /// A router of distinct routes.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Result<Self, RouteError> {
        let mut router = routefinder::Router::new();
        for route in routes {
            let spec = route.spec()?;
            let raw = route.raw.to_string();
            router.add(spec, route).map_err(|reason| RouteError {
                route: raw,
                reason: reason.to_string(),
            })?;
        }
        Ok(Self {
            routes: Arc::new(router),
        })
    }

    /// All routes, the most particular ones first.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(|(_, route)| route)
    }

    /// The best match for a path, if any.
    pub fn find(&self, path: &str) -> Option<Match> {
        let found = self.routes.best_match(path)?;
        let captures = found.captures();
        // The router drops trailing slashes; Spin gives them to components, and so does this host.
        let rest = captures
            .wildcard()
            .map_or_else(String::new, |rest| match (rest.is_empty(), path.ends_with('/')) {
                (true, false) => String::new(),
                (true, true) => "/".to_owned(),
                (false, false) => format!("/{rest}"),
                (false, true) => format!("/{rest}/"),
            });
        let named = captures
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Match {
            route: found.handler().clone(),
            rest,
            named,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Router {
        let routes = routes
            .iter()
            .map(|(route, component)| Route::parse(route, component).expect("valid"));
        Router::new(routes).expect("distinct")
    }

    #[test]
    fn exact_routes_come_before_wildcards_and_longer_prefixes_first() {
        let router = router(&[
            ("/...", "dashboard"),
            ("/agent/...", "any"),
            ("/agent/0/...", "zero"),
            ("/agent/0/state", "state"),
            ("/nats/webhook/:topic", "webhook"),
            ("/status", "status"),
        ]);
        let find = |path: &str| router.find(path).map(|found| found.route.component().to_string());
        for (path, component) in [
            ("/", "dashboard"),
            ("/else/where", "dashboard"),
            ("/agent", "any"),
            ("/agent/1/state", "any"),
            ("/agent/0", "zero"),
            ("/agent/0/step", "zero"),
            ("/agent/0/state", "state"),
            ("/nats/webhook/agent.0.state", "webhook"),
            ("/nats/webhook/a/b", "dashboard"),
            ("/status", "status"),
            ("/status/", "status"),
            ("/status/more", "dashboard"),
        ] {
            assert_eq!(find(path).as_deref(), Some(component), "{path}");
        }
    }

    #[test]
    fn a_wildcard_stands_at_the_end() {
        assert!(Route::parse("/a/*/b", "x").is_err());
        assert!(Route::parse("/a*", "x").is_err());
        assert!(Route::parse("/a/*", "x").is_ok());
    }

    #[test]
    fn a_match_says_what_the_wildcards_stand_for() {
        let router = router(&[("/agent/:id/...", "agent"), ("/status", "status")]);
        let found = router.find("/agent/7/state/full/").expect("matches");
        assert_eq!(found.named, [("id".to_owned(), "7".to_owned())]);
        assert_eq!(found.rest, "/state/full/");
        assert_eq!(found.route.prefix(), "/agent/:id");
        assert_eq!(found.route.raw().as_ref(), "/agent/:id/...");
        assert_eq!(router.find("/agent/7").expect("matches").rest, "");
        assert_eq!(router.find("/agent/7/").expect("matches").rest, "/");
        assert_eq!(router.find("/status").expect("matches").rest, "");
        assert!(router.find("/agent").is_none());
        assert!(router.find("/").is_none());
    }
}
