//! A forge on loopback that answers questions about commits, logs what it was asked, and goes wrong when it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A question as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The commits, in the order of their aliases.
    pub(crate) commits: Vec<String>,
    /// Owner and name.
    pub(crate) variables: Value,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// What is known.
    Known,
    /// This status with a header line and a body.
    Other(u16, &'static str, String),
}

type Judge = dyn Fn(&Asked, usize) -> Said + Send + Sync;
type Known = dyn Fn(&str) -> Value + Send + Sync;

/// The forge; it ends with the process.
pub(crate) struct Forge {
    url: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Forge {
    /// A forge that knows commits by `known`, which gives the object of one, and answers as `judge` says, which sees the
    /// question and how many came before it.
    pub(crate) fn new(
        known: impl Fn(&str) -> Value + Send + Sync + 'static,
        judge: impl Fn(&Asked, usize) -> Said + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/api/graphql", listener.local_addr().expect("an address"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (known, judge): (Arc<Known>, Arc<Judge>) = (Arc::new(known), Arc::new(judge));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (known, judge, log) = (Arc::clone(&known), Arc::clone(&judge), Arc::clone(&kept));
                std::thread::spawn(move || serve(&stream, &*known, &*judge, &log));
            }
        });
        Self { url, log }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().expect("no thread failed").clone()
    }

    /// How many commits stood in each question, largest first.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.asked().iter().map(|asked| asked.commits.len()).collect();
        sizes.sort_unstable_by(|left, right| right.cmp(left));
        sizes
    }
}

fn serve(stream: &TcpStream, known: &Known, judge: &Judge, log: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header");
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length: usize =
            headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let question: Value = serde_json::from_slice(&body).unwrap_or_default();
        let query = question["query"].as_str().unwrap_or_default();
        let commits = query.split("object(oid:\"").skip(1).map(|rest| rest[..40].to_owned()).collect();
        let asked = Asked { headers, commits, variables: question["variables"].clone() };
        let before = {
            let mut log = log.lock().expect("no thread failed");
            log.push(asked.clone());
            log.len() - 1
        };
        let (status, header, body) = match judge(&asked, before) {
            Said::Known => {
                let objects: BTreeMap<String, Value> = asked
                    .commits
                    .iter()
                    .enumerate()
                    .map(|(at, commit)| (format!("c{at}"), known(commit)))
                    .collect();
                (200, "X: y", json!({ "data": { "repository": objects } }).to_string())
            }
            Said::Other(status, header, body) => (status, header, body),
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut out = stream;
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The object of a commit that a merged pull request brought.
pub(crate) fn object(commit: &str, login: Option<&str>, number: u64, title: &str) -> Value {
    json!({
        "oid": commit,
        "author": { "user": login.map(|login| json!({ "login": login })) },
        "associatedPullRequests": { "nodes": [{
            "number": number, "title": title, "merged": true, "baseRefName": "main",
            "mergeCommit": { "oid": commit }, "author": { "login": "eve" },
            "labels": { "nodes": [{ "name": "bug" }] },
        }]},
    })
}
