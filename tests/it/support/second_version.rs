//! The registry of the tests over HTTP/2, with TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::registry::{Answering, TestRegistry, certified};

/// A way to a registry that speaks nothing else.
pub(crate) struct SecondVersion {
    address: SocketAddr,
    /// The authority that vouches for it, PEM.
    pub(crate) authority: String,
    connections: Arc<AtomicUsize>,
}

impl SecondVersion {
    /// Starts it; it lives as long as the process.
    pub(crate) fn start(registry: &TestRegistry) -> Self {
        let (mut config, authority) = certified();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a listener that is polled");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, answering) = (Arc::clone(&connections), registry.answering());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
                while let Ok((stream, _)) = listener.accept().await {
                    let (acceptor, answering) = (acceptor.clone(), Arc::clone(&answering));
                    let counter = Arc::clone(&counter);
                    tokio::spawn(async move {
                        // A client that speaks another version, or goes away, is none of our business.
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                        counter.fetch_add(1, Ordering::Relaxed);
                        while let Some(Ok((request, respond))) = connection.accept().await {
                            tokio::spawn(answer(Arc::clone(&answering), request, respond));
                        }
                    });
                }
            });
        });
        Self { address, authority, connections }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn answer(
    answering: Answering,
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<bytes::Bytes>,
) -> Option<()> {
    let (parts, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        body.flow_control().release_capacity(piece.len()).ok()?;
        bytes.extend_from_slice(&piece);
    }
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let target = parts.uri.path_and_query()?.as_str().to_owned();
    let (status, headers, body) = answering(parts.method.as_str(), &target, headers, bytes);
    let mut head = http::Response::builder().status(status).header("content-length", body.len());
    for (name, value) in headers {
        head = head.header(name.to_ascii_lowercase(), value);
    }
    let empty = body.is_empty() || parts.method == http::Method::HEAD;
    let mut send = respond.send_response(head.body(()).ok()?, empty).ok()?;
    if !empty {
        send.send_data(body.into(), true).ok()?;
    }
    Some(())
}
