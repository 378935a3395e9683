//! Proxies: which addresses are asked for through one, and how errors name it.
//!
//! Which proxy an address goes through is for the environment to say (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`),
//! read by the same rules as the clients of HubSpot, S3 and STS read it. What is on this machine's own loopback is asked for
//! directly, whatever the environment says: a proxy elsewhere has a loopback of its own.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Url};

/// Whether an address is one of this machine's own. Of names, that is `localhost` alone: where `x.localhost` leads is for
/// the resolver to say, and secrets are sent in the clear to what is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The proxy that requests to an address go through: its host and port, and nothing else of its URL, which may hold a
/// password. `None` for those that go through none.
pub fn of(url: &Url) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    named(&Matcher::from_env(), url)
}

fn named(proxies: &Matcher, url: &Url) -> Option<String> {
    let proxy = proxies.intercept(&url.as_str().parse::<Uri>().ok()?)?;
    let host = proxy.uri().host()?;
    Some(proxy.uri().port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for own in [
            "http://127.0.0.1:9000",
            "http://127.8.9.10",
            "http://[::1]:9000",
            "http://localhost:1",
            "http://LOCALHOST/x",
        ] {
            assert!(is_loopback(&own.parse().unwrap()), "{own}");
        }
        for other in [
            "http://128.0.0.1",
            "http://localhost.example",
            "http://x.localhost",
            "http://[::2]",
            "http://notlocalhost",
        ] {
            assert!(!is_loopback(&other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn of_a_proxy_only_host_and_port_are_named() {
        let proxies = Matcher::builder().all("http://user:secret@proxy.example:3128/path?query").no("inner.example");
        let proxies = proxies.build();
        let of = |url: &str| named(&proxies, &url.parse().unwrap());
        assert_eq!(of("https://api.example/x?y=z").unwrap(), "proxy.example:3128");
        assert_eq!(of("http://api.example").unwrap(), "proxy.example:3128");
        assert_eq!(of("https://inner.example"), None);
    }
}
