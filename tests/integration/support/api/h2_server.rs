//! An API behind an HTTP/2 server that closes connections and refuses streams as a test says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use h2::{Reason, server};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;

use super::answers::two_items;
use crate::support::spawn;

/// How the server treats a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    Serve,
    /// Serves it, and takes no further requests on its connection. The first connection is closed
    /// without processing any of its requests.
    GoAway,
    /// Refuses its stream.
    Refuse,
    /// Answers it as misdirected (421) on the first connection, and serves it on others.
    MisdirectedOnFirst,
}

/// Ends with the test.
pub(crate) struct H2Server {
    pub(crate) base_url: String,
    /// The path of the certificate that a client has to trust.
    pub(crate) certificate: String,
    counts: Arc<Counts>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    connections: AtomicUsize,
}

impl H2Server {
    /// Starts a server that treats the n-th request as `turns` says.
    pub(crate) async fn start(
        folder: &Path,
        turns: impl Fn(u64) -> Turn + Send + Sync + 'static,
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let path = folder.join("server.pem");
        std::fs::write(&path, certificate.pem()).unwrap();
        let acceptor = acceptor(certificate.der().clone(), key.serialize_der());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        let turns = Arc::new(turns);
        let serving = spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, counts) = (acceptor.clone(), Arc::clone(&shared));
                let turns = Arc::clone(&turns);
                connections.spawn(async move {
                    // A client may close its connection at any time.
                    let _gone = serve(stream, &acceptor, number, &counts, &*turns).await;
                });
            }
        });
        Self {
            base_url: format!("https://localhost:{port}"),
            certificate: path.to_str().unwrap().to_owned(),
            counts,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }
}

fn acceptor(certificate: CertificateDer<'static>, key: Vec<u8>) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    number: usize,
    counts: &Counts,
    turns: &(dyn Fn(u64) -> Turn + Send + Sync),
) -> Result<(), Box<dyn std::error::Error>> {
    let stream = acceptor.accept(stream).await?;
    if number == 0 && matches!(turns(0), Turn::GoAway) {
        return leave_behind(stream).await;
    }
    let mut connection = server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request?;
        let turn = turns(counts.requests.fetch_add(1, Ordering::SeqCst));
        let status = match turn {
            Turn::Refuse => {
                respond.send_reset(Reason::REFUSED_STREAM);
                continue;
            }
            Turn::MisdirectedOnFirst if number == 0 => 421,
            Turn::MisdirectedOnFirst | Turn::Serve | Turn::GoAway => 200,
        };
        let head = axum::http::Response::builder()
            .status(status)
            .header("content-type", "application/json");
        let mut body = respond.send_response(head.body(())?, false)?;
        body.send_data(Bytes::from(two_items()), true)?;
        if matches!(turn, Turn::GoAway) {
            connection.graceful_shutdown();
        }
    }
    Ok(())
}

/// Reads requests and answers that none of them was processed.
async fn leave_behind(mut stream: TlsStream<TcpStream>) -> Result<(), Box<dyn std::error::Error>> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const SETTINGS_ACK: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
    const GO_AWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const PREFACE: usize = 24;
    const HEADERS: u8 = 1;
    stream.write_all(&SETTINGS).await?;
    stream.read_exact(&mut [0; PREFACE]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream
            .read_exact(&mut vec![0; usize::try_from(length)?])
            .await?;
        if head[3] == HEADERS {
            break;
        }
    }
    stream.write_all(&SETTINGS_ACK).await?;
    stream.write_all(&GO_AWAY).await?;
    // The client closes it.
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}
