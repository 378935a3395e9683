//! The connections of the AWS SDK: through the proxy that the environment names, and to this machine directly.

use std::fmt;

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use url::Url;

use crate::bucket::{authorities::Authorities, cause::Cause};

/// The client of STS, SSO and whatever else credentials come from, and of what the AWS SDK asks of S3.
pub(super) fn client(authorities: Option<&Authorities>) -> SharedHttpClient {
    let trusted = authorities.map(|authorities| {
        TlsContext::builder().with_trust_store(TrustStore::default().with_pem_certificate(authorities.pem())).build()
    });
    // The certificates have been read before: this cannot fail.
    let trusted = trusted.and_then(Result::ok);
    let over = |proxies: fn() -> ProxyConfig| over(proxies, trusted.clone());
    SharedHttpClient::new(Client { direct: over(ProxyConfig::disabled), proxied: over(ProxyConfig::from_env) })
}

fn over(proxies: fn() -> ProxyConfig, trusted: Option<TlsContext>) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector =
            Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).proxy_config(proxies());
        if let Some(trusted) = &trusted {
            connector.set_tls_context(trusted.clone());
        }
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}

#[derive(Debug)]
struct Client {
    direct: SharedHttpClient,
    proxied: SharedHttpClient,
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connection {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Connection {
    direct: SharedHttpConnector,
    proxied: SharedHttpConnector,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(proxy) = Url::parse(request.uri()).ok().and_then(|address| sluice_net::proxy::of(&address)) else {
            return self.direct.call(request);
        };
        let answer = self.proxied.call(request);
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| through(proxy, error)) })
    }
}

/// A failure of a connection through a proxy.
#[derive(Debug)]
pub(super) struct ThroughProxy {
    /// Host and port of the proxy.
    proxy: String,
    source: BoxError,
}

impl ThroughProxy {
    /// What happened, and the proxy.
    pub(super) fn cause(&self) -> Cause {
        Cause::of(self.source.as_ref()).through(Some(&self.proxy))
    }
}

impl fmt::Display for ThroughProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the connection through the proxy `{}` failed", self.proxy)
    }
}

impl std::error::Error for ThroughProxy {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// The same kind of error, by which the SDK decides whether it tries again, with the proxy's name.
fn through(proxy: String, error: ConnectorError) -> ConnectorError {
    let rebuild: fn(BoxError) -> ConnectorError = if error.is_timeout() {
        ConnectorError::timeout
    } else if error.is_user() {
        ConnectorError::user
    } else if error.is_io() {
        ConnectorError::io
    } else {
        let kind = error.as_other();
        return ConnectorError::other(Box::new(ThroughProxy { proxy, source: error.into_source() }), kind);
    };
    rebuild(Box::new(ThroughProxy { proxy, source: error.into_source() }))
}
