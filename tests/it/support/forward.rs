//! A forward proxy on loopback, as many build machines have one on their only way out (RFC 9110, 9.3.6; RFC 9112, 3.2.2).

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;

use super::registry::certified;

/// A request as it reached the proxy.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    /// `CONNECT host:port`, or the method and the whole URL.
    pub(crate) request: String,
    /// Everything of the head, for what must not be in it.
    pub(crate) head: String,
    /// Whether the proxy knows the host that was asked for.
    pub(crate) led: bool,
}

/// What a proxy does with who comes to it.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Leads from a host, as it is named in requests, to an address; `*` is any host. Who asks for another gets a 502.
    Leads(Vec<(String, String)>),
    /// Says this, whatever is asked, and ends the connection.
    Says(&'static str),
    /// Says nothing.
    Hangs,
}

/// The proxy.
pub(crate) struct Forward {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Passed>>>,
}

impl Forward {
    /// Starts one that leads everybody to one address; with a login nobody passes without.
    pub(crate) fn start(to: &str, login: Option<&str>) -> Self {
        Self::with(Manner::Leads(vec![("*".to_owned(), to.to_owned())]), login)
    }

    /// Starts it; with a login nobody passes without.
    pub(crate) fn with(manner: Manner, login: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let log: Arc<Mutex<Vec<Passed>>> = Arc::default();
        let login = login.map(|login| {
            let login = base64::engine::general_purpose::STANDARD.encode(login);
            format!("proxy-authorization: basic {login}").to_ascii_lowercase()
        });
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (manner, login, seen) = (manner.clone(), login.clone(), Arc::clone(&seen));
                // Whoever goes away ends its connection and nothing else.
                std::thread::spawn(move || drop(serve(client, &manner, login.as_deref(), &seen)));
            }
        });
        Self { address, log }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The URL of it, with a login to give.
    pub(crate) fn url(&self, login: Option<&str>) -> String {
        let login = login.map(|login| format!("{login}@")).unwrap_or_default();
        format!("http://{login}{}", self.address)
    }

    /// Every request so far.
    pub(crate) fn log(&self) -> Vec<Passed> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Speaks TLS with whoever comes and plainly with what is behind it: `127.0.0.1:PORT`, and the authority that vouches for
/// it, PEM. It lives as long as the process.
pub(crate) fn secured(to: &str) -> (String, String) {
    let (config, authority) = certified();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a listener that is polled");
    let to = to.to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, to) = (acceptor.clone(), to.clone());
                tokio::spawn(async move {
                    // Whoever goes away ends its connection and nothing else.
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let Ok(mut behind) = tokio::net::TcpStream::connect(to).await else { return };
                    drop(tokio::io::copy_bidirectional(&mut client, &mut behind).await);
                });
            }
        });
    });
    (address.to_string(), authority)
}

fn serve(
    client: TcpStream,
    manner: &Manner,
    login: Option<&str>,
    seen: &Mutex<Vec<Passed>>,
) -> io::Result<()> {
    let mut from_client = BufReader::new(client.try_clone()?);
    let mut client = client;
    loop {
        let head = head(&mut from_client)?;
        let mut words = head.split_whitespace();
        let (method, target) =
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        if method.is_empty() {
            return Ok(());
        }
        let to = match manner {
            Manner::Leads(hosts) => {
                let wanted =
                    target.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
                hosts.iter().find(|(host, _)| host == "*" || host == wanted).map(|(_, to)| to)
            }
            Manner::Says(_) | Manner::Hangs => None,
        };
        let passed = Passed { request: format!("{method} {target}"), head: head.clone(), led: to.is_some() };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(passed);
        if login.is_some_and(|login| !head.to_ascii_lowercase().contains(login)) {
            client.write_all(
                b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
            )?;
            continue;
        }
        let Some(to) = to else {
            match manner {
                Manner::Says(text) => {
                    client.write_all(text.as_bytes())?;
                    client.shutdown(std::net::Shutdown::Write)?;
                    // What is not read would end the connection in another way, or not, as it comes.
                    return io::copy(&mut from_client, &mut io::sink()).map(drop);
                }
                Manner::Leads(_) => {
                    return client.write_all(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n");
                }
                // Until the client has had enough.
                Manner::Hangs => return io::copy(&mut from_client, &mut io::sink()).map(drop),
            }
        };
        let mut host = TcpStream::connect(to)?;
        if method == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 X\r\n\r\n")?;
            let (mut up, mut down) = (host.try_clone()?, client.try_clone()?);
            let other = std::thread::spawn(move || io::copy(&mut host, &mut down).map(drop));
            io::copy(&mut from_client, &mut up)?;
            up.shutdown(std::net::Shutdown::Write)?;
            return other.join().unwrap_or(Ok(()));
        }
        // The host gets what is meant for it: the path, and nothing that is meant for the proxy.
        let path = target.splitn(4, '/').nth(3).unwrap_or_default();
        let kept = head.lines().skip(1).filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"));
        let lines: String = kept.map(|line| format!("{line}\r\n")).collect();
        host.write_all(format!("{method} /{path} HTTP/1.1\r\n{lines}").as_bytes())?;
        io::copy(&mut (&mut from_client).take(length(&head)), &mut host)?;
        let mut from_host = BufReader::new(host);
        let answer = self::head(&mut from_host)?;
        client.write_all(answer.as_bytes())?;
        let rest = if method == "HEAD" { 0 } else { length(&answer) };
        io::copy(&mut (&mut from_host).take(rest), &mut client)?;
    }
}

fn head(from: &mut impl io::BufRead) -> io::Result<String> {
    let mut head = String::new();
    while from.read_line(&mut head)? > 0 && !head.ends_with("\r\n\r\n") {}
    Ok(head)
}

fn length(head: &str) -> u64 {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    line.unwrap_or(0)
}
