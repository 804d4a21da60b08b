//! A TLS proxy in front of the simulator, with certificates that a test generates.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::support::spawn;

/// A certificate authority.
pub(crate) struct CertificateAuthority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate says about its server. The default is valid.
pub(crate) struct Claims {
    pub(crate) names: Vec<&'static str>,
    pub(crate) years: (i32, i32),
    pub(crate) purpose: ExtendedKeyUsagePurpose,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            names: vec!["localhost"],
            years: (2020, 2090),
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
        }
    }
}

impl Claims {
    fn params(&self) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "server");
        params.extended_key_usages = vec![self.purpose.clone()];
        params
    }
}

impl CertificateAuthority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The authority's own certificate, for clients that trust it.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The TLS configuration of a server with a certificate of this authority.
    pub(crate) fn certify(&self, claims: &Claims) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = claims.params().signed_by(&key, &self.0).unwrap();
        server_config(certificate.der().clone(), &key)
    }
}

/// The TLS configuration of a server with a self-signed certificate.
pub(crate) fn self_signed(claims: &Claims) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = claims.params().self_signed(&key).unwrap();
    server_config(certificate.der().clone(), &key)
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

/// Terminates TLS and forwards the contents to the server behind it.
pub(crate) struct TlsFront {
    pub(crate) url: String,
    presented: Arc<Mutex<Arc<ServerConfig>>>,
    /// The number of further connections to close before their handshake.
    cut: Arc<AtomicUsize>,
    /// Ends every connection when it changes.
    ended: watch::Sender<()>,
}

impl TlsFront {
    /// Starts in front of the server at `target`, a URL on this machine.
    pub(crate) async fn start(target: &str, presented: Arc<ServerConfig>) -> Self {
        let target: SocketAddr = target.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Self {
            url: format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            ),
            presented: Arc::new(Mutex::new(presented)),
            cut: Arc::default(),
            ended: watch::Sender::new(()),
        };
        let (presented, cut) = (Arc::clone(&front.presented), Arc::clone(&front.cut));
        let ended = front.ended.clone();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let is_cut = cut
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok();
                if is_cut {
                    continue;
                }
                let acceptor = TlsAcceptor::from(Arc::clone(&presented.lock().unwrap()));
                let mut ended = ended.subscribe();
                spawn(async move {
                    tokio::select! {
                        () = hand_on(stream, &acceptor, target) => {}
                        _ = ended.changed() => {}
                    }
                });
            }
        });
        front
    }

    /// Presents another certificate from now on, and ends every connection that there is.
    pub(crate) fn present(&self, presented: Arc<ServerConfig>) {
        *self.presented.lock().unwrap() = presented;
        self.ended.send_replace(());
    }

    /// Closes the next `connections` before their handshake.
    pub(crate) fn cut(&self, connections: usize) {
        self.cut.store(connections, Ordering::Relaxed);
    }
}

async fn hand_on(stream: TcpStream, acceptor: &TlsAcceptor, target: SocketAddr) {
    if let Ok(mut outside) = acceptor.accept(stream).await
        && let Ok(mut inside) = TcpStream::connect(target).await
    {
        let _ended = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
    }
}
