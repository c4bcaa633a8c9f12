//! A forge on loopback with a REST API: it logs what it was asked and answers as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET /path?query`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as JSON; null where there is none.
    pub(crate) body: Value,
}

impl Asked {
    /// The first 40 hexadecimal digits of the path.
    pub(crate) fn commit(&self) -> &str {
        let digits = |word: &&str| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.line.split(['/', '?', ' ']).find(digits).unwrap_or_default()
    }
}

/// Status, a header line and a body.
pub(crate) type Said = (u16, &'static str, String);

type Judge = dyn Fn(&Asked, usize) -> Said + Send + Sync;

/// The forge; it ends with the process.
pub(crate) struct RestForge {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    most: Arc<AtomicUsize>,
}

impl RestForge {
    /// A forge that answers as `judge` says, which sees the request and how many came before it.
    pub(crate) fn new(judge: impl Fn(&Asked, usize) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (judge, kept, highest): (Arc<Judge>, _, _) =
            (Arc::new(judge), Arc::clone(&log), Arc::clone(&most));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (judge, log) = (Arc::clone(&judge), Arc::clone(&kept));
                let (now, most) = (Arc::clone(&now), Arc::clone(&highest));
                // Whoever goes away ends its connection and nothing else.
                std::thread::spawn(move || drop(serve(&stream, &*judge, &log, &now, &most)));
            }
        });
        Self { address, log, most }
    }

    /// Where it is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().expect("no thread failed").clone()
    }

    /// The most requests that were open at the same time.
    pub(crate) fn at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: &TcpStream,
    judge: &Judge,
    log: &Mutex<Vec<Asked>>,
    now: &AtomicUsize,
    most: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').expect("a header");
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length: usize =
            headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let asked = Asked { line, headers, body: serde_json::from_slice(&body).unwrap_or_default() };
        let before = {
            let mut log = log.lock().expect("no thread failed");
            log.push(asked.clone());
            log.len() - 1
        };
        let (status, header, body) = judge(&asked, before);
        now.fetch_sub(1, Ordering::SeqCst);
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut out = stream;
        out.write_all(answer.as_bytes())?;
    }
}
