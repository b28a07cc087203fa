//! Where a component may send requests: `allowed_outbound_hosts`, by Spin's rules.

use std::net::IpAddr;
use std::ops::Range;

use http::Uri;
use thiserror::Error;

/// The domain under which a component's id is its host: service chaining.
const CHAINING_SUFFIX: &str = ".spin.internal";

/// The component that a request by service chaining is for: `agent-red` of `http://agent-red.spin.internal/…`.
pub fn chained_component(uri: &Uri) -> Option<&str> {
    uri.host()?.strip_suffix(CHAINING_SUFFIX)
}

/// Why an entry of `allowed_outbound_hosts` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{entry}` is no outbound host: {reason}")]
pub struct AllowedHostError {
    entry: String,
    reason: &'static str,
}

/// The destinations that a component may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

/// `scheme://host:port`, each of which may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    /// `None` for any.
    scheme: Option<String>,
    host: Host,
    /// Ports that are allowed; `None` for any.
    ports: Option<Range<u32>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// Every host below this domain; begins with a dot.
    Below(String),
    /// The application itself: `self`.
    Application,
    Exact(String),
    /// Addresses that agree with this one in so many leading bits.
    Network(IpAddr, u8),
}

impl AllowedHosts {
    /// Adds an entry such as `http://*.spin.internal`, `https://example.com:8443`, `http://10.0.0.0/8:80`, `*://*:*`.
    pub fn allow(&mut self, entry: &str) -> Result<(), AllowedHostError> {
        self.0.push(AllowedHost::parse(entry)?);
        Ok(())
    }

    /// Whether a request may be sent to a URI with scheme and authority.
    pub fn allows(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let Some(port) = uri.port_u16().or_else(|| default_port(scheme)) else {
            return false;
        };
        self.0.iter().any(|entry| entry.allows(scheme, host, port))
    }

    /// Whether a request may be sent to the application itself (`http://self`).
    pub fn allows_application(&self, scheme: &str) -> bool {
        let allowed = |entry: &AllowedHost| {
            entry.scheme.as_deref().is_none_or(|own| own == scheme)
                && matches!(entry.host, Host::Any | Host::Application)
        };
        self.0.iter().any(allowed)
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self, AllowedHostError> {
        let refuse = |reason| AllowedHostError {
            entry: entry.to_owned(),
            reason,
        };
        let (scheme, rest) = entry
            .trim()
            .split_once("://")
            .ok_or_else(|| refuse("it begins with a scheme, such as `http://` or `*://`"))?;
        if scheme != "*" && (scheme.is_empty() || !scheme.chars().all(char::is_alphabetic)) {
            return Err(refuse("a scheme is letters, or `*`"));
        }
        // The last colon begins the port, unless it belongs to an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.strip_suffix('/').unwrap_or(port)),
            _ => (rest, ""),
        };
        let ports = match port {
            "*" => None,
            "" => {
                let port = default_port(scheme)
                    .ok_or_else(|| refuse("a port is needed where the scheme has no default one"))?;
                Some(single(port))
            }
            port => {
                let number = |text: &str| {
                    text.parse::<u16>()
                        .map_err(|_| refuse("a port is a number, a range `1..10` or `*`"))
                };
                Some(match port.split_once("..") {
                    Some((from, to)) => u32::from(number(from)?)..u32::from(number(to)?),
                    None => single(number(port)?),
                })
            }
        };
        let host = Host::parse(host).map_err(refuse)?;
        let scheme = Some(scheme.to_owned()).filter(|scheme| scheme != "*");
        Ok(Self { scheme, host, ports })
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.scheme.as_deref().is_none_or(|own| own == scheme)
            && self.host.allows(host)
            && self.ports.as_ref().is_none_or(|ports| ports.contains(&u32::from(port)))
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self, &'static str> {
        if host == "*" {
            return Ok(Self::Any);
        }
        if host == "self" || host == "self.alt" {
            return Ok(Self::Application);
        }
        if let Some((address, bits)) = host.split_once('/')
            && let (Some(address), Ok(bits)) = (address_of(address), bits.parse::<u8>())
        {
            let width = if address.is_ipv4() { 32 } else { 128 };
            return if bits <= width {
                Ok(Self::Network(address, bits))
            } else {
                Err("a network has no more bits than its addresses")
            };
        }
        let host = host.strip_suffix('/').unwrap_or(host);
        if host.contains('/') {
            return Err("it has no path");
        }
        if let Some(domain) = host.strip_prefix("*.") {
            return if domain.is_empty() || domain.contains('*') || address_of(domain).is_some() {
                Err("`*.` is followed by a domain")
            } else {
                Ok(Self::Below(format!(".{}", domain.to_ascii_lowercase())))
            };
        }
        if host.contains('*') || host.is_empty() {
            return Err("a host is a name, an address, `*`, or a domain after `*.`");
        }
        Ok(Self::Exact(host.to_ascii_lowercase()))
    }

    fn allows(&self, host: &str) -> bool {
        let address = address_of(host);
        match self {
            Self::Any => true,
            Self::Application => false,
            Self::Below(suffix) => address.is_none() && host.to_ascii_lowercase().ends_with(suffix),
            Self::Exact(exact) => match (address, address_of(exact)) {
                (Some(own), Some(exact)) => own == exact,
                _ => host.eq_ignore_ascii_case(exact),
            },
            Self::Network(network, bits) => address.is_some_and(|address| agree(address, *network, *bits)),
        }
    }
}

/// An address, in brackets or not.
fn address_of(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Whether two addresses of one family have the same leading bits.
fn agree(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let (differing, width) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits() ^ other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        _ => return false,
    };
    differing.checked_shr(width - u32::from(bits)).unwrap_or(0) == 0
}

fn single(port: u16) -> Range<u32> {
    u32::from(port)..u32::from(port) + 1
}

/// The port that is meant when none is given.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str], uri: &str) -> bool {
        let mut hosts = AllowedHosts::default();
        for entry in entries {
            hosts.allow(entry).expect("valid");
        }
        hosts.allows(&uri.parse().expect("valid"))
    }

    #[test]
    fn nothing_is_allowed_but_what_is_named() {
        assert!(!allowed(&[], "http://agent-red.spin.internal/"));
        assert!(allowed(
            &["http://agent-red.spin.internal"],
            "http://agent-red.spin.internal/step"
        ));
        assert!(!allowed(
            &["http://agent-red.spin.internal"],
            "http://agent-blue.spin.internal/step"
        ));
        assert!(!allowed(
            &["http://agent-red.spin.internal"],
            "https://agent-red.spin.internal/step"
        ));
        assert!(!allowed(
            &["http://agent-red.spin.internal"],
            "http://agent-red.spin.internal:81/step"
        ));
        assert!(allowed(
            &["http://*.spin.internal"],
            "http://agent-blue.spin.internal/step"
        ));
        assert!(!allowed(&["http://*.spin.internal"], "http://spin.internal/"));
        assert!(!allowed(&["http://*.spin.internal"], "http://evilspin.internal/"));
        assert!(allowed(&["http://127.0.0.1:8000..8100"], "http://127.0.0.1:8099/"));
        assert!(!allowed(&["http://127.0.0.1:8000..8100"], "http://127.0.0.1:8100/"));
        assert!(allowed(&["http://127.0.0.0/8:*"], "http://127.9.9.9:1/"));
        assert!(!allowed(&["http://127.0.0.0/8:*"], "http://128.0.0.1:1/"));
        assert!(!allowed(&["http://127.0.0.0/8:*"], "http://localhost:1/"));
        assert!(allowed(&["http://[::1]:80"], "http://[::1]/"));
        assert!(allowed(&["*://*:*"], "https://example.com:8443/"));
        assert!(allowed(&["http://EXAMPLE.com"], "http://example.COM/"));
        assert!(!allowed(&["http://self"], "http://self.example/"));
        assert!(allowed(&["http://0.0.0.0/0"], "http://9.9.9.9/"));
    }

    #[test]
    fn the_application_itself_is_named_self() {
        let mut hosts = AllowedHosts::default();
        assert!(!hosts.allows_application("http"));
        hosts.allow("http://self").expect("valid");
        assert!(hosts.allows_application("http"));
        assert!(!hosts.allows_application("https"));
    }

    #[test]
    fn entries_that_say_nothing_are_refused() {
        for entry in [
            "example.com",
            "*",
            "http://",
            "http://a/b",
            "http://a*b",
            "http://*.*.com",
            "ftp://a",
            "http://a:x",
            "h2://a:1",
            "http://1.2.3.4/40",
        ] {
            assert!(AllowedHosts::default().allow(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn the_host_of_a_chained_request_is_the_component() {
        let component = |uri: &str| chained_component(&uri.parse().expect("valid")).map(str::to_owned);
        assert_eq!(
            component("http://agent-red.spin.internal/step").as_deref(),
            Some("agent-red")
        );
        assert_eq!(component("http://agent-red.spin.internal.example/step"), None);
        assert_eq!(component("http://example.com/"), None);
    }
}
