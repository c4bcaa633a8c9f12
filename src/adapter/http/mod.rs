//! The one HTTP client: how it is made, how long it waits, and what it never says aloud. Who is asked for what stands
//! elsewhere.
//!
//! Bodies are never decoded, so a digest is that of the bytes sent. No redirect is followed here: whoever sends a
//! request decides where its credentials may go. Proxies are those that were named, but never for this machine itself.

mod patience;
mod proxies;
mod redact;

pub use patience::{Patience, Tries, retry_after};
pub use proxies::Proxies;
pub use redact::{cause, host_of, reason, scrub, shown};

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Client;
use reqwest::tls::Certificate;
use url::{Host, Url};

use crate::diag::{Hint, Kind};

/// What the client sends as `User-Agent`.
const USER_AGENT: &str = concat!("kyklos-release/", env!("CARGO_PKG_VERSION"));

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// What every request of the process has in common.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// Certificate authorities that are trusted beside those of the system, PEM.
    pub authorities: Option<Vec<u8>>,
    /// No socket is opened.
    pub offline: bool,
    /// The proxies on the way.
    pub proxies: Proxies,
}

/// Makes clients when they are needed: one for each way out, each with its own connections.
#[derive(Debug, Default)]
pub struct Http {
    settings: HttpSettings,
    clients: [OnceLock<Client>; 4],
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The command was told to stay off the network.
    #[error("{host} cannot be reached without the network")]
    Offline {
        /// The host.
        host: String,
    },
    /// The file of certificate authorities is not PEM.
    #[error("the file of certificate authorities cannot be used: {reason}")]
    Authorities {
        /// What is wrong with it.
        reason: String,
    },
    /// A variable names a proxy that cannot be used.
    #[error("the proxy that {variable} names cannot be used: {reason}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value, which may hold a password.
        reason: &'static str,
    },
    /// TLS could not be set up.
    #[error("the HTTP client cannot be made: {reason}")]
    Client {
        /// What is wrong.
        reason: String,
    },
}

impl Hint for HttpError {
    fn code(&self) -> &'static str {
        match self {
            Self::Offline { .. } => "http-offline",
            Self::Authorities { .. } => "http-authorities",
            Self::Proxy { .. } => "http-proxy",
            Self::Client { .. } => "http-client",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Proxy { variable, .. } => vec![format!("set {variable}=http://[USER:PASSWORD@]HOST:PORT")],
            Self::Offline { .. } | Self::Authorities { .. } | Self::Client { .. } => Vec::new(),
        }
    }
}

impl Http {
    /// A factory with these settings. Nothing is opened.
    pub fn new(settings: HttpSettings) -> Self {
        Self { settings, clients: Default::default() }
    }

    /// Host and port of the proxy on the way to a URL.
    pub fn proxy(&self, url: &Url) -> Option<String> {
        self.settings.proxies.of(url).map(host_of)
    }

    /// Whether certificate authorities were named.
    pub fn has_authorities(&self) -> bool {
        self.settings.authorities.is_some()
    }

    /// The client for a URL.
    pub fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        if self.settings.offline {
            return Err(HttpError::Offline { host: host_of(url) });
        }
        let (secure, proxy) = (url.scheme() == "https", self.settings.proxies.of(url));
        let slot = &self.clients[usize::from(secure) * 2 + usize::from(proxy.is_some())];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        // Where the environment names none, the system may; a local server is reached directly all the same.
        let of_system = self.settings.proxies.is_empty() && !is_loopback(url);
        let of_system = of_system && cfg!(any(target_os = "macos", windows));
        let by = proxy.map(|proxy| reqwest::Proxy::all(proxy.clone())).transpose();
        let by = by.map_err(|error| HttpError::Client { reason: reason(&error) })?;
        let make = || {
            let builder = Client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
                .no_gzip()
                .no_deflate()
                .no_brotli()
                .no_zstd();
            let builder = if of_system { builder } else { builder.no_proxy() };
            by.iter().cloned().fold(builder, reqwest::ClientBuilder::proxy)
        };
        let client = if secure || proxy.is_some_and(|proxy| proxy.scheme() == "https") {
            self.secure(make)?
        } else {
            // Without TLS there is no reason to read the certificate authorities of the system.
            make().tls_certs_only([]).build().map_err(|error| HttpError::Client { reason: reason(&error) })?
        };
        Ok(slot.get_or_init(|| client))
    }

    /// A client that trusts the authorities of the system, or those that are compiled in where the system has none (an
    /// image from scratch, a variable that points nowhere), and those that were named.
    fn secure(&self, make: impl Fn() -> reqwest::ClientBuilder) -> Result<Client, HttpError> {
        let named = match &self.settings.authorities {
            Some(pem) => Certificate::from_pem_bundle(pem)
                .map_err(|error| HttpError::Authorities { reason: reason(&error) })?,
            None => Vec::new(),
        };
        if self.settings.authorities.is_some() && named.is_empty() {
            return Err(HttpError::Authorities { reason: "it holds no certificate".to_owned() });
        }
        if let Ok(client) = make().tls_certs_merge(named.clone()).build() {
            return Ok(client);
        }
        let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let bundled: Result<Vec<Certificate>, _> =
            bundled.iter().map(|root| Certificate::from_der(root)).collect();
        bundled
            .and_then(|bundled| make().tls_certs_only(bundled.into_iter().chain(named)).build())
            .map_err(|error| HttpError::Client { reason: reason(&error) })
    }
}

/// Whether a URL leads to this machine: `localhost`, 127.0.0.0/8 or `[::1]`, and nothing that only looks like it.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a URL names an address that no public server has: loopback, private, link-local, shared or unspecified.
/// Names are not resolved.
pub fn is_inward(url: &Url) -> bool {
    let v4 = |address: Ipv4Addr| {
        let [first, second, ..] = address.octets();
        address.is_loopback()
            || address.is_private()
            || address.is_link_local()
            || address.is_unspecified()
            || address.is_broadcast()
            || (first == 100 && (64..128).contains(&second))
    };
    let v6 = |address: Ipv6Addr| {
        let first = address.segments()[0];
        address.is_loopback()
            || address.is_unspecified()
            || (first & 0xfe00) == 0xfc00
            || (first & 0xffc0) == 0xfe80
            || address.to_ipv4_mapped().is_some_and(v4)
    };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => v4(address),
        Some(Host::Ipv6(address)) => v6(address),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn inward_addresses() {
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost/",
            "http://0.0.0.0/",
        ] {
            assert!(is_inward(&url(text)), "{text}");
        }
        for text in ["https://ghcr.io/", "http://8.8.8.8/", "http://127.0.0.1.evil.com/", "http://[2606::1]/"]
        {
            assert!(!is_inward(&url(text)), "{text}");
            assert!(!is_loopback(&url(text)), "{text}");
        }
    }

    #[test]
    fn offline_makes_no_client_and_odd_authorities_are_told() {
        let offline = Http::new(HttpSettings { offline: true, ..HttpSettings::default() });
        let answer = offline.client(&url("https://ghcr.io/v2/"));
        assert_eq!(answer.err(), Some(HttpError::Offline { host: "ghcr.io".to_owned() }));
        let authorities = Some(b"nothing".to_vec());
        let odd = Http::new(HttpSettings { authorities, ..HttpSettings::default() });
        assert!(matches!(odd.client(&url("https://ghcr.io/")), Err(HttpError::Authorities { .. })));
        assert!(odd.client(&url("http://127.0.0.1/")).is_ok());
    }
}
