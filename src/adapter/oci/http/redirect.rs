//! Where a host may lead a request, and what of it goes along.
//!
//! A registry that was taken over, or a cache in front of it, must not be able to collect credentials elsewhere, to turn
//! TLS off, or to make this machine talk to its own network. Names are not resolved: a public name with a private
//! address is not recognised.

use url::{Origin, Url};

use crate::adapter::http::{host_of, is_inward, is_loopback, shown};
use crate::port::RegistryError;

/// Most redirects of one request.
pub(super) const HOPS: usize = 5;

/// The place a `Location` or `Link` of `from` means. `home` is where the registry itself is.
pub(super) fn follow(home: &Url, from: &Url, location: &str) -> Result<Url, RegistryError> {
    let astray = |place: String, reason| RegistryError::Astray { host: host_of(home), place, reason };
    let url = from.join(location).map_err(|_| astray("a place that is no URL".to_owned(), "it is no URL"))?;
    let refuse = |reason| Err(astray(shown(&url), reason));
    match url.scheme() {
        "https" => {}
        "http" if home.scheme() == "http" && from.scheme() == "http" => {}
        "http" => return refuse("it is without encryption"),
        _ => return refuse("only http and https are followed"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it holds a user or password");
    }
    if is_inward(&url) && url.host() != home.host() && !(is_loopback(&url) && is_loopback(home)) {
        return refuse("it is an address of a private network");
    }
    Ok(url)
}

/// Whether credentials for `home` may be sent to `url`: scheme, host and port are the same.
pub(super) fn same_origin(home: &Url, url: &Url) -> bool {
    matches!((home.origin(), url.origin()), (Origin::Tuple(..), Origin::Tuple(..)))
        && home.origin() == url.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(home: &str, location: &str) -> Result<String, String> {
        let home: Url = home.parse().unwrap();
        match follow(&home, &home, location) {
            Ok(url) => Ok(url.to_string()),
            Err(RegistryError::Astray { reason, .. }) => Err(reason.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn only_public_places_with_no_less_encryption() {
        let home = "https://ghcr.io/v2/a/blobs/uploads/";
        for (location, expected) in [
            ("/v2/a/x?y=1", Ok("https://ghcr.io/v2/a/x?y=1")),
            ("https://cdn.example/x", Ok("https://cdn.example/x")),
            ("http://ghcr.io/x", Err("it is without encryption")),
            ("file:///etc/passwd", Err("only http and https are followed")),
            ("https://u:p@cdn.example/", Err("it holds a user or password")),
            ("https://169.254.169.254/latest", Err("it is an address of a private network")),
            ("https://[::1]/", Err("it is an address of a private network")),
            ("https://localhost/", Err("it is an address of a private network")),
            ("https://0x7f000001/", Err("it is an address of a private network")),
        ] {
            assert_eq!(led(home, location), expected.map(str::to_owned).map_err(str::to_owned), "{location}");
        }
        let home = "http://127.0.0.1:5000/v2/";
        assert!(led(home, "http://127.0.0.1:5001/x").is_ok());
        assert!(led(home, "http://10.0.0.1/x").is_err());
        assert!(led("http://10.0.0.1:5000/v2/", "http://10.0.0.1:6000/x").is_ok());
    }

    #[test]
    fn another_port_is_another_origin() {
        let home: Url = "http://127.0.0.1:5000/".parse().unwrap();
        assert!(same_origin(&home, &"http://127.0.0.1:5000/x".parse().unwrap()));
        for other in
            ["http://127.0.0.1:5001/", "https://127.0.0.1:5000/", "http://localhost:5000/", "file:///x"]
        {
            assert!(!same_origin(&home, &other.parse().unwrap()), "{other}");
        }
    }
}
