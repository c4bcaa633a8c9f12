//! A proxy on this machine that lets every request wait, as a registry behind a network does, and counts them.

use std::io::{self, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A proxy in front of one registry.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) host: String,
    requests: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts it; its threads live as long as the process.
    pub(crate) fn start(upstream: &str, wait: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicU64::new(0));
        let (upstream, counter) = (upstream.to_owned(), Arc::clone(&requests));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, counter) = (upstream.clone(), Arc::clone(&counter));
                // A client that goes away ends its connection and nothing else.
                std::thread::spawn(move || drop(serve(client, &upstream, wait, &counter)));
            }
        });
        Self { host, requests }
    }

    /// The number of requests since the last time it was asked.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

/// One connection: request, wait, answer, and again.
fn serve(client: TcpStream, upstream: &str, wait: Duration, counter: &AtomicU64) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    let mut from_client = BufReader::with_capacity(64 << 10, client.try_clone()?);
    let mut from_server = BufReader::with_capacity(64 << 10, server.try_clone()?);
    let (mut to_client, mut to_server) = (client, server);
    while let Some(request) = head(&mut from_client)? {
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(wait);
        to_server.write_all(&request.bytes)?;
        if request.expects_continue {
            // The answer that is waited for is ours to give: the registry behind it may say nothing.
            to_client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        relay(&mut from_client, &mut to_server, request.body)?;
        let mut answer = head(&mut from_server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        while answer.first.contains(" 100 ") {
            answer = head(&mut from_server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        to_client.write_all(&answer.bytes)?;
        let empty = request.first.starts_with("HEAD ")
            || answer.first.contains(" 204 ")
            || answer.first.contains(" 304 ");
        relay(&mut from_server, &mut to_client, if empty { Body::Sized(0) } else { answer.body })?;
    }
    Ok(())
}

/// What stands before a body.
struct Head {
    first: String,
    bytes: Vec<u8>,
    body: Body,
    expects_continue: bool,
}

enum Body {
    Sized(u64),
    Chunked,
}

fn head(from: &mut impl io::BufRead) -> io::Result<Option<Head>> {
    let mut head =
        Head { first: String::new(), bytes: Vec::new(), body: Body::Sized(0), expects_continue: false };
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let lower = line.to_ascii_lowercase();
        if head.first.is_empty() {
            head.first.clone_from(&line);
        } else if let Some(length) = lower.strip_prefix("content-length:") {
            head.body = Body::Sized(length.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?);
        } else if lower.starts_with("transfer-encoding:") && lower.contains("chunked") {
            head.body = Body::Chunked;
        } else if lower.starts_with("expect:") {
            head.expects_continue = true;
            continue;
        }
        head.bytes.extend(line.as_bytes());
        if line == "\r\n" {
            return Ok(Some(head));
        }
    }
}

fn relay(from: &mut impl io::BufRead, to: &mut impl Write, body: Body) -> io::Result<()> {
    match body {
        Body::Sized(length) => exactly(from, to, length),
        Body::Chunked => loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            to.write_all(line.as_bytes())?;
            let size = line.trim().split(';').next().unwrap_or_default().to_owned();
            let size = u64::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            // The data and the line end behind it; trailers are not used here.
            exactly(from, to, size + 2)?;
            if size == 0 {
                return Ok(());
            }
        },
    }
}

fn exactly(from: &mut impl io::BufRead, to: &mut impl Write, length: u64) -> io::Result<()> {
    if io::copy(&mut from.take(length), to)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
