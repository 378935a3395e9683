//! Proxies: which addresses are asked for through one, and how errors name it.
//!
//! Which proxy an address goes through is for the environment to say (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`),
//! read by the same rules as the clients of HubSpot, S3 and STS read it. What is on this machine's own loopback is asked for
//! directly, whatever the environment says: a proxy elsewhere has a loopback of its own. So is what is on this machine's link
//! alone, where clouds keep the credentials of a machine or a container.

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

/// Whether an address is on this machine's link, and means another machine elsewhere: where clouds answer what a machine or a
/// container is, and give it credentials (`169.254.169.254`, `fd00:ec2::254`).
fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_unicast_link_local() || address.segments()[..2] == EC2,
        Some(Host::Domain(_)) | None => false,
    }
}

/// What begins the addresses of EC2's own services.
const EC2: [u16; 2] = [0xfd00, 0x0ec2];

/// The proxy that requests to an address go through: its host and port, and nothing else of its URL, which may hold a
/// password. `None` for those that go through none.
pub fn of(url: &Url) -> Option<String> {
    if is_loopback(url) || is_link_local(url) {
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
    fn the_link_is_told_from_the_network() {
        for own in
            ["http://169.254.169.254/latest", "http://169.254.170.2", "http://[fd00:ec2::254]", "http://[fe80::1]"]
        {
            assert!(is_link_local(&own.parse().unwrap()), "{own}");
        }
        for other in ["http://169.253.169.254", "http://[fd00:ec3::254]", "http://10.0.0.1", "http://x.example"] {
            assert!(!is_link_local(&other.parse().unwrap()), "{other}");
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
