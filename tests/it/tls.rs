//! A store whose certificate is of an authority of its own: STS and S3 trust it where `AWS_CA_BUNDLE` names the authority, and
//! only there.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sluice_simulator::{aws, hubspot};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use crate::{
    child::Running,
    harness::{Workspace, portal},
};

/// Serves with TLS, as `localhost`, what another server serves without. Gives the address, and the authority's certificate.
async fn with_tls(plain: SocketAddr) -> (SocketAddr, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let chain: Vec<CertificateDer> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that trusts nobody hangs up.
                let Ok(mut client) = acceptor.accept(connection).await else { return };
                let mut server = TcpStream::connect(plain).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    (address, authority.pem())
}

#[test]
fn an_authority_of_ones_own_is_trusted_where_the_environment_names_it() {
    let workspace = Workspace::with(hubspot::Options { ..portal() }, aws::Options::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let plain = workspace.aws.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    let (address, authority) = runtime.block_on(with_tls(plain));
    let source = workspace.source("streams = [\"owners\"]");
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    let sink = sink.replace(&workspace.aws.endpoint(), &format!("https://localhost:{}", address.port()));
    workspace.pipeline(&[&source, &sink]);
    let authority = workspace.write("authority.pem", authority).display().to_string();
    let run = |bundle: Option<&str>| {
        let mut command = workspace.command(&["run", "pipeline.toml"]);
        command.envs(bundle.map(|bundle| ("AWS_CA_BUNDLE", bundle)));
        let output = Running::start(&mut command).output();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };

    let (code, told) = run(None);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("STS could not be reached") && told.contains("certificate"), "{told}");

    let (code, told) = run(Some(&authority));
    assert_eq!(code, 0, "{told}");

    let (code, told) = run(Some("token"));
    assert_eq!(code, 2, "{told}");
    assert!(
        told.contains("the certificates in `token`, which the variable AWS_CA_BUNDLE names, cannot be used"),
        "{told}"
    );
    assert!(told.contains("no certificate is in it"), "{told}");
}
