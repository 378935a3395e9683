//! Hosts that a pipeline file may name: whoever starts the program narrows them, whatever the file says.

use std::env;

use url::Url;

/// The variable: host names with commas between them, each with a port where it is not the usual one. `*.example.com` is every
/// host below `example.com`.
pub const ALLOWED_HOSTS: &str = "SLUICE_ALLOWED_HOSTS";

/// The hosts that may be named.
#[derive(Debug)]
pub enum AllowedHosts {
    /// Nobody has narrowed them.
    All,
    /// These.
    These(Vec<AllowedHost>),
}

/// A host, or all below a name.
#[derive(Debug, PartialEq, Eq)]
pub struct AllowedHost {
    name: String,
    /// Whether it stands for the hosts below it.
    below: bool,
    port: Option<u16>,
}

/// A list that says nothing, or nothing clear. It must not pass for one that allows everything.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable `{ALLOWED_HOSTS}` is no list of hosts")]
pub struct NoHosts;

impl NoHosts {
    /// What mends it.
    pub const HINT: &str = "write host names with commas between them, as in `api.hubapi.com,*.example.com,localhost:8080`; unset it, if every host may be named";
}

impl AllowedHosts {
    /// What the environment says.
    pub fn of_environment() -> Result<Self, NoHosts> {
        match env::var(ALLOWED_HOSTS) {
            Ok(list) => Self::read(&list),
            Err(env::VarError::NotPresent) => Ok(Self::All),
            Err(env::VarError::NotUnicode(_)) => Err(NoHosts),
        }
    }

    fn read(list: &str) -> Result<Self, NoHosts> {
        list.split(',')
            .map(|host| AllowedHost::read(host.trim()))
            .collect::<Option<_>>()
            .map(Self::These)
            .ok_or(NoHosts)
    }

    /// Whether an address may be named.
    pub fn allow(&self, url: &Url) -> bool {
        match self {
            Self::All => true,
            Self::These(hosts) => hosts.iter().any(|host| host.is_of(url)),
        }
    }
}

impl AllowedHost {
    fn read(text: &str) -> Option<Self> {
        let (below, text) = text.strip_prefix("*.").map_or((false, text), |text| (true, text));
        // As an address has them: in lower case, an IPv6 address in brackets.
        let url = Url::parse(&format!("http://{text}/")).ok()?;
        let is_all = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_all = is_all && url.username().is_empty() && url.password().is_none() && !text.contains(['/', '*']);
        // The usual port of this scheme would be lost.
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        url.host_str().filter(|_| is_all).map(|name| Self { name: name.to_owned(), below, port })
    }

    fn is_of(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let is_name = if self.below {
            host.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.name
        };
        let usual = if url.scheme() == "https" { 443 } else { 80 };
        is_name && url.port_or_known_default() == Some(self.port.unwrap_or(usual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, url: &str) -> bool {
        AllowedHosts::read(list).unwrap().allow(&url.parse().unwrap())
    }

    #[test]
    fn a_host_is_its_whole_name_and_its_port() {
        let list = "api.hubapi.com, *.example.com,localhost:8080,[::1]:9,Upper.Example.org";
        for url in [
            "https://api.hubapi.com",
            "https://API.hubapi.com:443/x",
            "https://eu.example.com/",
            "https://a.b.example.com",
            "http://localhost:8080",
            "http://[::1]:9",
            "https://upper.example.org",
        ] {
            assert!(allows(list, url), "{url}");
        }
        for url in [
            "https://api.hubapi.com.evil.org",
            "https://evil-api.hubapi.com",
            "https://api.hubapi.com:8443",
            "https://api.hubapi.com@evil.org",
            "https://example.com",
            "https://evilexample.com",
            "http://localhost",
            "http://[::1]:10",
        ] {
            assert!(!allows(list, url), "{url}");
        }
        assert!(AllowedHosts::All.allow(&"https://evil.org".parse().unwrap()));
    }

    #[test]
    fn a_list_that_says_nothing_allows_nothing() {
        for list in
            ["", ",", "api.hubapi.com,", "https://api.hubapi.com", "api.hubapi.com/x", "*", "*.*.com", "a b", "u@h"]
        {
            assert_eq!(AllowedHosts::read(list).unwrap_err(), NoHosts, "{list}");
        }
    }
}
