//! Which way a request leaves this machine: through a proxy that the environment names, or directly.
//!
//! Stops: a variable that cannot be used is an error, because going around a proxy in silence is what nobody asked for.
//! The address of a proxy holds a login more often than not, so it is never shown whole.

use std::net::IpAddr;

use url::{Host, Url};

use super::{HttpError, host_of, is_loopback};

/// The proxies of an environment, and what is reached without them.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    direct: Vec<Direct>,
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { http, https, direct } = self;
        let named = |proxy: &Option<Url>| proxy.as_ref().map(host_of);
        f.debug_struct("Proxies")
            .field("http", &named(http))
            .field("https", &named(https))
            .field("direct", direct)
            .finish()
    }
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Direct {
    place: Place,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// `*`
    Everywhere,
    /// An address and how many bits of it count.
    Network(IpAddr, u32),
    /// A domain and everything below it.
    Domain(String),
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capital letters first, as curl knows them. A
    /// process that answers a web request (`REQUEST_METHOD`) takes no `HTTP_PROXY`: there it is a header of the request
    /// (CVE-2016-5385).
    pub fn read<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, HttpError> {
        let one = |capital: &'static str, small: &'static str| {
            let found = variable(capital).map(|value| (capital, value));
            found.or_else(|| variable(small).map(|value| (small, value)))
        };
        let address = |found: Option<(&'static str, &str)>| {
            found.map(|(variable, value)| address(variable, value)).transpose()
        };
        let all = address(one("ALL_PROXY", "all_proxy"))?;
        let http = match variable("REQUEST_METHOD") {
            Some(_) => variable("http_proxy").map(|value| ("http_proxy", value)),
            None => one("HTTP_PROXY", "http_proxy"),
        };
        let http = address(http)?.or_else(|| all.clone());
        let https = address(one("HTTPS_PROXY", "https_proxy"))?.or(all);
        let direct = one("NO_PROXY", "no_proxy").map(|(_, list)| list).unwrap_or_default();
        Ok(Self { http, https, direct: direct.split(',').filter_map(entry).collect() })
    }

    /// Whether no proxy is named.
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The proxy on the way to a URL; `None` for this machine itself and for what `NO_PROXY` lists.
    pub fn of(&self, url: &Url) -> Option<&Url> {
        if is_loopback(url) || self.direct.iter().any(|entry| entry.holds(url)) {
            return None;
        }
        match url.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }
    }
}

/// Without a scheme it is `http`, as everybody takes it.
fn address(variable: &'static str, value: &str) -> Result<Url, HttpError> {
    let refuse = |reason| HttpError::Proxy { variable, reason };
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(whole.trim()).map_err(|_| refuse("it is no URL"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(refuse("only http:// and https:// are used")),
    }
}

/// `*`, an address, a network (`10.0.0.0/8`) or a domain with what is below it (`.example.com`, `*.example.com`), each with a
/// port or for every port.
fn entry(text: &str) -> Option<Direct> {
    let text = text.trim();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let place = match host {
        "" => return None,
        "*" => Place::Everywhere,
        host => match host.split_once('/') {
            Some((address, bits)) => Place::Network(address.parse().ok()?, bits.parse().ok()?),
            None => match host.parse::<IpAddr>() {
                Ok(address) => Place::Network(address, 128),
                Err(_) => {
                    let domain = host.trim_start_matches('*').trim_matches('.');
                    Place::Domain(domain.to_ascii_lowercase())
                }
            },
        },
    };
    Some(Direct { place, port })
}

impl Direct {
    fn holds(&self, url: &Url) -> bool {
        if self.port.is_some() && self.port != url.port_or_known_default() {
            return false;
        }
        match (&self.place, url.host()) {
            (Place::Everywhere, _) => true,
            (Place::Domain(domain), Some(Host::Domain(name))) => {
                let above = name.strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Place::Network(network, bits), Some(Host::Ipv4(address))) => {
                same_start(*network, address.into(), *bits)
            }
            (Place::Network(network, bits), Some(Host::Ipv6(address))) => {
                same_start(*network, address.into(), *bits)
            }
            (Place::Domain(_) | Place::Network(..), _) => false,
        }
    }
}

/// Whether the first bits of two addresses of one kind are the same.
fn same_start(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let differ = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differ >= bits.min(if network.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&'static str, &'static str)]) -> Result<Proxies, HttpError> {
        Proxies::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
    }

    fn way(variables: &[(&'static str, &'static str)], url: &str) -> Option<String> {
        proxies(variables).unwrap().of(&url.parse().unwrap()).map(ToString::to_string)
    }

    #[test]
    fn variables_in_capital_letters_come_first() {
        let url = "https://ghcr.io/v2/";
        assert_eq!(way(&[], url), None);
        let both =
            [("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:1"), ("ALL_PROXY", "http://c:1")];
        assert_eq!(way(&both, url).as_deref(), Some("http://a:1/"));
        assert_eq!(way(&both[1..], url).as_deref(), Some("http://b:1/"));
        assert_eq!(way(&both[2..], url).as_deref(), Some("http://c:1/"));
        assert_eq!(way(&both[..2], "http://ghcr.io/"), None);
        assert_eq!(way(&[("http_proxy", "b:3128")], "http://ghcr.io/").as_deref(), Some("http://b:3128/"));
        assert_eq!(way(&[("HTTP_PROXY", "a:1"), ("REQUEST_METHOD", "GET")], "http://ghcr.io/"), None);
    }

    #[test]
    fn what_is_no_proxy_is_an_error_that_does_not_show_it() {
        for (value, reason) in [
            ("http://user:secret@a:port", "it is no URL"),
            ("socks5://user:secret@a:1080", "only http:// and https:// are used"),
            ("user:secret@", "it is no URL"),
        ] {
            let error = proxies(&[("https_proxy", value)]).unwrap_err();
            assert_eq!(error, HttpError::Proxy { variable: "https_proxy", reason });
            assert!(!error.to_string().contains("secret"));
        }
        let known = proxies(&[("ALL_PROXY", "http://user:secret@a:8080")]).unwrap();
        assert!(!format!("{known:?}").contains("secret"));
        assert_eq!(host_of(known.of(&"https://x.y/".parse().unwrap()).unwrap()), "a:8080");
    }

    #[test]
    fn no_proxy_names_hosts_networks_domains_and_ports() {
        for (list, url, direct) in [
            ("*", "https://ghcr.io/", true),
            ("ghcr.io", "https://ghcr.io/", true),
            ("GHCR.io", "https://ghcr.io/", true),
            ("ghcr.io", "https://pkg.ghcr.io/", true),
            (".ghcr.io", "https://ghcr.io/", true),
            ("*.ghcr.io", "https://pkg.ghcr.io/", true),
            ("ghcr.io", "https://notghcr.io/", false),
            ("ghcr.io.", "https://ghcr.io/", true),
            ("a.example, ghcr.io:443", "https://ghcr.io/", true),
            ("ghcr.io:8443", "https://ghcr.io/", false),
            ("ghcr.io:8443", "https://ghcr.io:8443/", true),
            ("10.0.0.0/8", "http://10.1.2.3:5000/", true),
            ("10.0.0.0/8:5000", "http://10.1.2.3:5000/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("0.0.0.0/0", "http://11.1.2.3/", true),
            ("10.1.2.3", "http://10.1.2.3/", true),
            ("10.1.2.3", "http://10.1.2.30/", false),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("[fd12::1]:5000", "http://[fd12::1]:5000/", true),
            ("[fd12::1]:5000", "http://[fd12::1]:5001/", false),
            ("fd12::1", "http://[fd12::2]/", false),
            ("", "https://ghcr.io/", false),
            (",,", "https://ghcr.io/", false),
            ("ghcr.io:x", "https://ghcr.io/", false),
            ("10.0.0.0/x", "http://10.0.0.1/", false),
        ] {
            let found = way(&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", list)], url);
            assert_eq!(found.is_none(), direct, "{list} {url}");
        }
        for url in ["http://localhost:5000/", "https://127.0.0.1/", "http://[::1]:5000/"] {
            assert_eq!(way(&[("ALL_PROXY", "http://a:1")], url), None, "{url}");
        }
    }
}
