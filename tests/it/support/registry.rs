//! A registry on loopback in this process: everything of the distribution-spec that can differ can be switched, every
//! request is logged, and any of them can be made to go wrong.
//!
//! It speaks HTTP/1.1 over plain sockets, one thread per connection, so that it can break where a real server would.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kyklos_release::adapter::http::{HttpSettings, Patience};
use kyklos_release::adapter::oci::{Access, CredentialSources, HttpRegistry, Wire, WireSettings};
use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;
use serde_json::{Value, json};

/// What the registry can do.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Lists referrers and answers `OCI-Subject`.
    pub(crate) referrers: bool,
    /// Takes a blob with one `POST ?digest=`.
    pub(crate) single_post: bool,
    /// Links blobs of other repositories, and of the repository itself.
    pub(crate) mounts: bool,
    /// Refuses manifests that name what is not there.
    pub(crate) checks_named: bool,
    /// Takes several tags with one manifest that is put under its digest, as olareg does.
    pub(crate) many_tags: bool,
    /// Shows with its answers that it is made of `olareg`.
    pub(crate) olareg: bool,
    /// Calls everything by its SHA-256 and takes manifests under no other, as docker-registry does.
    pub(crate) sha256_only: bool,
    /// Deletes.
    pub(crate) deletes: bool,
    /// Answers `Docker-Content-Digest`.
    pub(crate) digest_header: bool,
    /// Says with `Etag` and version that it is made of `distribution`, as docker-registry does.
    pub(crate) distribution: bool,
    /// Names the places of uploads with scheme and host.
    pub(crate) absolute: bool,
    /// Tags and referrers of one page.
    pub(crate) page: usize,
    /// Before every answer.
    pub(crate) latency: Duration,
    /// Who may do what.
    pub(crate) auth: Auth,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            referrers: true,
            single_post: false,
            mounts: true,
            checks_named: true,
            many_tags: false,
            olareg: false,
            sha256_only: false,
            deletes: true,
            digest_header: true,
            distribution: false,
            absolute: false,
            page: 1000,
            latency: Duration::ZERO,
            auth: Auth::Open,
        }
    }
}

/// Who may do what.
#[derive(Debug, Clone)]
pub(crate) enum Auth {
    /// Everybody everything.
    Open,
    /// A user and password with every request.
    Basic(&'static str, &'static str),
    /// A token with the right scopes; with a user, only that one gets any.
    Bearer(Option<(&'static str, &'static str)>),
    /// A token of a token server that is said to be somewhere else; whoever asks for one gets it.
    Realm(String),
}

/// How a request goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status without effect, with a header and body.
    Answer(u16, &'static str, &'static str),
    /// The connection ends before anything was done.
    ResetBefore,
    /// It is done, and the connection ends instead of an answer.
    ResetAfter,
    /// Half of the body is read (and kept when it is of an upload), then the connection ends.
    CutRequest,
    /// Half of the answer's body is sent, then the connection ends.
    CutAnswer,
    /// Nothing is answered as long as the registry lives.
    Hang,
    /// It is done, and this header says something else.
    Header(&'static str, String),
    /// `Content-Length` is off by so much.
    WrongLength(i64),
    /// The answer's body is this, as if it were right.
    Body(Vec<u8>),
    /// The body never ends.
    Endless,
    /// These bytes instead of an answer, then others again and again.
    Stream(&'static str, &'static str),
    /// There is always another page.
    Pages,
    /// The body comes one byte at a time, each after ten milliseconds.
    Drip,
    /// It is done, and before it is answered another writer puts all tags back to where they were.
    Overtaken,
    /// It is done, and before it is answered another writer points the tags that were set to another image.
    Usurped,
}

impl Fault {
    /// A busy server.
    pub(crate) const BUSY: Self = Self::Answer(503, "", "");
    /// A limit, with the time after which it is lifted.
    pub(crate) const LATER: Self =
        Self::Answer(429, "Retry-After: 0", r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#);
    /// What a proxy says.
    pub(crate) const HTML: Self =
        Self::Answer(502, "Content-Type: text/html", "<html><body>Unicorn!</body></html>");
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) method: String,
    /// With query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// Bytes of the body.
    pub(crate) body: usize,
    /// What was answered; 0 for nothing.
    pub(crate) status: u16,
}

/// A stored manifest: media type and bytes.
type Typed = (String, Vec<u8>);

/// What a repository holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) blobs: BTreeMap<String, Arc<Vec<u8>>>,
    pub(crate) manifests: BTreeMap<String, Typed>,
    pub(crate) tags: BTreeMap<String, String>,
    uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Clone, Default)]
struct Upload {
    bytes: Vec<u8>,
    /// The newest state; an older one is refused.
    state: u32,
}

impl Stored {
    /// How many uploads were opened and neither ended nor given up.
    pub(crate) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }
}

/// Called after every request with what is stored.
type Watch = Box<dyn Fn(&BTreeMap<String, Stored>) + Send>;

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Stored>,
    log: Vec<Logged>,
    by_number: BTreeMap<usize, Fault>,
    by_route: Vec<(String, String, usize, Fault)>,
    tokens: BTreeMap<String, BTreeSet<String>>,
    counter: u32,
    watch: Option<Watch>,
}

struct Shared {
    options: Options,
    tls: Option<Arc<rustls::ServerConfig>>,
    address: SocketAddr,
    state: Mutex<State>,
    connections: AtomicUsize,
    ended: AtomicBool,
}

/// The registry. It ends when it is dropped.
pub(crate) struct TestRegistry {
    shared: Arc<Shared>,
}

impl TestRegistry {
    /// Starts one.
    pub(crate) fn start(options: Options) -> Self {
        Self::start_with(options, None)
    }

    /// Starts one that speaks TLS, and the certificate authority that vouches for it, PEM.
    pub(crate) fn start_tls(options: Options) -> (Self, String) {
        let (config, pem) = certified();
        (Self::start_as(options, config), pem)
    }

    /// Starts one that speaks TLS with this certificate.
    pub(crate) fn start_as(options: Options, config: rustls::ServerConfig) -> Self {
        Self::start_with(options, Some(Arc::new(config)))
    }

    /// What it answers to a request that came on another way: status, headers and body. Logged as any other.
    pub(crate) fn answering(&self) -> Answering {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |method, target, headers, body| {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let mut request = Request {
                method: method.to_owned(),
                path: path.to_owned(),
                query: parse_query(query),
                headers,
                body,
            };
            request.headers.insert(":target".to_owned(), target.to_owned());
            let answer = match shared.fault(&request) {
                Some(Fault::Answer(status, ..)) => Answer::new(status),
                _ => shared.answer(&request),
            };
            shared.remember(&request, answer.status);
            (answer.status, answer.headers, answer.body)
        })
    }

    fn start_with(options: Options, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            options,
            tls,
            address,
            state: Mutex::default(),
            connections: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                accepting.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { shared }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// A repository of it, through a wire of its own that knows no login.
    pub(crate) fn open(&self, path: &str) -> HttpRegistry {
        self.open_on(&wire(None), path)
    }

    /// A repository of it.
    pub(crate) fn open_on(&self, wire: &Arc<Wire>, path: &str) -> HttpRegistry {
        wire.repository(format!("{}/{path}", self.host()).parse().expect("a repository"), Access::Write)
    }

    /// How many connections were opened, whether or not something was asked over them.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Every request since the start or the last [`TestRegistry::forget`].
    pub(crate) fn log(&self) -> Vec<Logged> {
        self.state().log.clone()
    }

    /// `METHOD path` of every request, with digests and session names shortened: `PUT /v2/a/manifests/v1`.
    pub(crate) fn routes(&self) -> Vec<String> {
        self.log().iter().map(|one| format!("{} {}", one.method, shortened(&one.path))).collect()
    }

    /// Empties the log; the next request is the first again.
    pub(crate) fn forget(&self) {
        self.state().log.clear();
    }

    /// The request with this number, from 1, goes wrong.
    pub(crate) fn fail_nth(&self, number: usize, fault: Fault) {
        self.state().by_number.insert(number, fault);
    }

    /// The next `times` requests of a method whose path contains a text go wrong.
    pub(crate) fn fail(&self, method: &str, containing: &str, times: usize, fault: Fault) {
        self.state().by_route.push((method.to_owned(), containing.to_owned(), times, fault));
    }

    /// Calls a function after every request, while nothing else happens.
    pub(crate) fn watch(&self, watch: impl Fn(&BTreeMap<String, Stored>) + Send + 'static) {
        self.state().watch = Some(Box::new(watch));
    }

    /// What is stored.
    pub(crate) fn stored(&self, repository: &str) -> Stored {
        self.state().repositories.get(repository).cloned().unwrap_or_default()
    }

    /// Stores something without a request.
    pub(crate) fn change(&self, repository: &str, change: impl FnOnce(&mut Stored)) {
        change(self.state().repositories.entry(repository.to_owned()).or_default());
    }

    /// Forgets every token, as if it had expired.
    pub(crate) fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

/// What a server with TLS needs, and the certificate authority that vouches for it, PEM.
pub(crate) fn certified() -> (rustls::ServerConfig, String) {
    let names = ["localhost", "127.0.0.1", "registry.test", "auth.registry.test", "evil.test"];
    let hub = ["registry-1.docker.io", "auth.docker.io"];
    certified_for(&[&names[..], &hub].concat(), 1975..4096)
}

/// The same for some names, and from the beginning of one year to that of another.
pub(crate) fn certified_for(names: &[&str], years: std::ops::Range<i32>) -> (rustls::ServerConfig, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, format!("who vouches for {}", names.join(" ")));
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let pem = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut certificate = rcgen::CertificateParams::new(names).expect("parameters");
    certificate.not_before = rcgen::date_time_ymd(years.start, 1, 1);
    certificate.not_after = rcgen::date_time_ymd(years.end, 1, 1);
    let certificate = certificate.signed_by(&key, &issuer).expect("a certificate");
    (serving_with(&certificate, &key), pem)
}

/// What a server with TLS needs whose certificate vouches for itself, and the certificate, PEM.
pub(crate) fn self_signed(names: &[&str]) -> (rustls::ServerConfig, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(names).expect("parameters");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    (serving_with(&certificate, &key), certificate.pem())
}

fn serving_with(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .expect("a key that fits")
}

/// Method, path with query, headers in lower case and body, to status, headers and body.
pub(crate) type Answering = Arc<
    dyn Fn(&str, &str, BTreeMap<String, String>, Vec<u8>) -> (u16, Vec<(String, String)>, Vec<u8>)
        + Send
        + Sync,
>;

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.shared.address);
    }
}

fn shortened(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = match path.split_once("/blobs/uploads/") {
        Some((head, id)) if !id.is_empty() => format!("{head}/blobs/uploads/SESSION"),
        _ => path.to_owned(),
    };
    let query: Vec<&str> =
        query.split('&').filter(|part| !part.starts_with("_state=") && !part.is_empty()).collect();
    let whole = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    let mut out = String::new();
    let mut rest = whole.as_str();
    while let Some(at) = rest.find("sha256:").into_iter().chain(rest.find("sha512:")).min() {
        let end = at + "sha256:".len();
        out.push_str(&rest[..end]);
        let hex = rest[end..].chars().take_while(char::is_ascii_hexdigit).count();
        out.push_str(&rest[end..end + hex.min(6)]);
        rest = &rest[end + hex..];
    }
    out + rest
}

/// A wire whose waits are short, with the logins of a `config.json`.
pub(crate) fn wire(logins: Option<String>) -> Arc<Wire> {
    wire_with(logins, Duration::from_millis(1500))
}

/// The same with another idea of a broken connection.
pub(crate) fn wire_with(logins: Option<String>, idle: Duration) -> Arc<Wire> {
    Wire::new(WireSettings {
        http: HttpSettings::default(),
        plain_http: false,
        credentials: CredentialSources { inline: logins, ..CredentialSources::default() },
        jobs: 8,
        patience: Patience::new(1).with(vec![Duration::from_millis(2); 3], idle),
        traffic: Arc::default(),
    })
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, Vec<String>>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", media_type)
    }

    fn error(status: u16, code: &str, detail: &Value) -> Self {
        let body = json!({"errors": [{"code": code, "message": code, "detail": detail}]});
        Self::new(status).body("application/json", body.to_string())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        match &self.tls {
            None => self.talk(stream),
            Some(config) => {
                let connection = rustls::ServerConnection::new(Arc::clone(config)).expect("a connection");
                self.talk(rustls::StreamOwned::new(connection, stream));
            }
        }
    }

    fn talk<S: Read + Write>(&self, stream: S) {
        let mut stream = BufReader::new(stream);
        // A client that goes away is none of our business.
        while self.one(&mut stream).is_some_and(|keep| keep) {}
    }

    /// One request; `None` or false ends the connection.
    fn one<S: Read + Write>(&self, reader: &mut BufReader<S>) -> Option<bool> {
        let mut request = head(reader)?;
        let length: usize =
            request.headers.get("content-length").map_or(Some(0), |text| text.parse().ok())?;
        let fault = self.fault(&request);
        if fault == Some(Fault::ResetBefore) {
            return None;
        }
        let chunked = request.headers.contains_key("transfer-encoding");
        let wanted = if fault == Some(Fault::CutRequest) { length / 2 } else { length };
        request.body = vec![0; wanted];
        reader.read_exact(&mut request.body).ok()?;
        std::thread::sleep(self.options.latency);
        if fault == Some(Fault::CutRequest) {
            self.keep_part(&request);
            return None;
        }
        let answer = match &fault {
            Some(Fault::Answer(status, header, body)) => {
                let mut answer = Answer::new(*status);
                answer.body = body.as_bytes().to_vec();
                if let Some((name, value)) = header.split_once(": ") {
                    answer = answer.header(name, value);
                }
                answer
            }
            Some(Fault::Hang) => {
                while !self.ended.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return None;
            }
            _ if chunked => Answer::error(411, "SIZE_INVALID", &json!("no length")),
            Some(Fault::Overtaken | Fault::Usurped) => {
                let tags = |stored: &Stored| stored.tags.clone();
                let before: BTreeMap<String, _> = self
                    .state()
                    .repositories
                    .iter()
                    .map(|(name, stored)| (name.clone(), tags(stored)))
                    .collect();
                let answer = self.answer(&request);
                for (name, stored) in &mut self.state().repositories {
                    let old = before.get(name).cloned().unwrap_or_default();
                    if fault == Some(Fault::Overtaken) {
                        stored.tags = old;
                        continue;
                    }
                    let other = old.values().next().cloned().unwrap_or_default();
                    let set = stored.tags.iter_mut().filter(|(tag, digest)| old.get(*tag) != Some(digest));
                    set.for_each(|(_, digest)| digest.clone_from(&other));
                }
                answer
            }
            _ => self.answer(&request),
        };
        self.remember(&request, if fault == Some(Fault::ResetAfter) { 0 } else { answer.status });
        if fault == Some(Fault::ResetAfter) {
            return None;
        }
        let body = self.write(reader.get_mut(), &request, answer, fault)?;
        body.then_some(true)
    }

    /// Writes an answer; whether the connection goes on.
    fn write(
        &self,
        stream: &mut impl Write,
        request: &Request,
        answer: Answer,
        fault: Option<Fault>,
    ) -> Option<bool> {
        let Answer { status, mut headers, mut body } = answer;
        let (mut cut, mut drip) = (false, false);
        match fault {
            Some(Fault::Header(name, value)) => {
                headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                headers.push((name.to_owned(), value));
            }
            Some(Fault::Body(other)) => body = other,
            Some(Fault::Pages) => {
                let (path, page) = (&request.path, self.state().log.len());
                headers.push(("Link".to_owned(), format!("<{path}?page={page}>; rel=\"next\"")));
            }
            Some(Fault::Stream(start, again)) => {
                stream.write_all(start.as_bytes()).ok()?;
                while !self.ended.load(Ordering::Relaxed) {
                    stream.write_all(again.repeat(1000).as_bytes()).ok()?;
                }
                return None;
            }
            Some(Fault::CutAnswer) => cut = true,
            Some(Fault::Drip) => drip = true,
            Some(Fault::WrongLength(by)) => {
                headers.push(("Content-Length".to_owned(), (body.len() as i64 + by).to_string()));
            }
            Some(Fault::Endless) => {
                let mut head = format!("HTTP/1.1 {status} X\r\n");
                headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
                stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
                while !self.ended.load(Ordering::Relaxed) {
                    stream.write_all(&[b' '; 64 << 10]).ok()?;
                }
                return None;
            }
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {status} X\r\n");
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| name == "Content-Length") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        if request.method == "HEAD" {
            body.clear();
        }
        if cut {
            body.truncate(body.len() / 2);
        }
        if drip {
            stream.write_all(head.as_bytes()).ok()?;
            for byte in body {
                stream.write_all(&[byte]).ok()?;
                std::thread::sleep(Duration::from_millis(10));
            }
            return Some(true);
        }
        stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
        Some(!cut)
    }

    fn fault(&self, request: &Request) -> Option<Fault> {
        let mut state = self.state();
        let number = state.log.len() + 1;
        if let Some(fault) = state.by_number.remove(&number) {
            state.log.push(logged(request, 0));
            return Some(fault);
        }
        let found = state.by_route.iter_mut().find(|(method, containing, times, _)| {
            *times > 0 && *method == request.method && request.target().contains(containing.as_str())
        });
        let fault = found.map(|(_, _, times, fault)| {
            *times -= 1;
            fault.clone()
        });
        state.log.push(logged(request, 0));
        fault
    }

    fn remember(&self, request: &Request, status: u16) {
        let mut state = self.state();
        let target = request.target();
        let found = state
            .log
            .iter_mut()
            .rev()
            .find(|one| one.status == 0 && one.path == target && one.method == request.method);
        if let Some(one) = found {
            one.status = status;
            one.body = request.body.len();
        }
        if let Some(watch) = &state.watch {
            watch(&state.repositories);
        }
    }

    /// What has arrived of an upload before the connection ended.
    fn keep_part(&self, request: &Request) {
        let Some((name, id)) = request.session() else { return };
        if !["PUT", "PATCH"].contains(&request.method.as_str()) {
            return;
        }
        let mut state = self.state();
        let upload = state.repositories.entry(name).or_default().uploads.get_mut(&id);
        if let Some(upload) = upload {
            upload.bytes.extend_from_slice(&request.body);
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.path == "/token" {
            return self.token(request);
        }
        if request.path == "/v2/" {
            // Other clients ask; ours never does.
            return Answer::new(200);
        }
        if let Some(refusal) = self.refuse(request) {
            return refusal;
        }
        let Some(rest) = request.path.strip_prefix("/v2/") else {
            return Answer::new(404).body("text/plain", "404 page not found");
        };
        let parts = ["/blobs/uploads/", "/blobs/", "/manifests/", "/tags/", "/referrers/"];
        let found =
            parts.iter().find_map(|part| rest.split_once(part).map(|(name, what)| (*part, name, what)));
        let mut state = self.state();
        state.counter += 1;
        let counter = state.counter;
        match found {
            Some(("/blobs/uploads/", name, id)) => self.upload(&mut state, counter, name, id, request),
            Some(("/blobs/", name, digest)) => self.blob(&mut state, name, digest, request),
            Some(("/manifests/", name, reference)) => self.manifest(&mut state, name, reference, request),
            Some(("/tags/", name, "list")) => self.tags(&state, name, request),
            Some(("/referrers/", name, subject)) if self.options.referrers => {
                self.referrers(&state, name, subject, request)
            }
            _ => Answer::new(404).body("text/plain", "404 page not found"),
        }
    }

    /// 401 or 403 for whom the request is not for.
    fn refuse(&self, request: &Request) -> Option<Answer> {
        let authorization = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
        let mut needed = BTreeSet::new();
        let rest = request.path.strip_prefix("/v2/").unwrap_or_default();
        let name = ["/blobs/", "/manifests/", "/tags/", "/referrers/"]
            .iter()
            .find_map(|part| rest.split_once(part).map(|(name, _)| name))
            .unwrap_or_default();
        let reading = ["GET", "HEAD"].contains(&request.method.as_str()) && request.session().is_none();
        needed.insert(format!("{name}:{}", if reading { "pull" } else { "push" }));
        if let Some(from) = request.query.get("from").and_then(|from| from.first()) {
            needed.insert(format!("{from}:pull"));
        }
        let challenge = match &self.options.auth {
            Auth::Open => return None,
            Auth::Basic(user, password) => {
                if authorization == basic(user, password) {
                    return None;
                }
                "Basic realm=\"test\"".to_owned()
            }
            Auth::Bearer(_) | Auth::Realm(_) => {
                let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
                let state = self.state();
                if state.tokens.get(token).is_some_and(|scopes| needed.is_subset(scopes)) {
                    return None;
                }
                let scope: Vec<String> = needed.iter().map(|one| format!("repository:{one}")).collect();
                let realm = match &self.options.auth {
                    Auth::Realm(realm) => realm.clone(),
                    _ => format!("http://{}/token", self.address),
                };
                format!(r#"Bearer realm="{realm}",service="test",scope="{}""#, scope.join(" "))
            }
        };
        Some(Answer::error(401, "UNAUTHORIZED", &Value::Null).header("WWW-Authenticate", challenge))
    }

    fn token(&self, request: &Request) -> Answer {
        let login = match &self.options.auth {
            Auth::Bearer(login) => *login,
            Auth::Realm(_) => None,
            Auth::Open | Auth::Basic(..) => return Answer::new(404),
        };
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let posted = parse_query(&form);
        let known = login.is_none_or(|(user, password)| {
            request.headers.get("authorization").is_some_and(|value| *value == basic(user, password))
                || posted.get("refresh_token").is_some_and(|token| token[0] == password)
        });
        if !known {
            return Answer::error(401, "UNAUTHORIZED", &Value::Null);
        }
        let asked = request.query.get("scope").into_iter().flatten();
        let asked = asked.chain(posted.get("scope").into_iter().flatten());
        let mut scopes = BTreeSet::new();
        for scope in asked.flat_map(|scope| scope.split(' ')) {
            let mut parts = scope.split(':');
            let (Some(_), Some(name), Some(actions)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            scopes.extend(actions.split(',').map(|action| format!("{name}:{action}")));
        }
        let mut state = self.state();
        state.counter += 1;
        let token = format!("token-{}", state.counter);
        state.tokens.insert(token.clone(), scopes);
        Answer::new(200).body("application/json", json!({"token": token, "expires_in": 300}).to_string())
    }

    fn upload(&self, state: &mut State, counter: u32, name: &str, id: &str, request: &Request) -> Answer {
        let from = request.query.get("from").map(|from| from[0].clone());
        let mounted = request.query.get("mount").and_then(|digest| {
            let source = state.repositories.get(from.as_ref()?)?;
            Some((digest[0].clone(), Arc::clone(source.blobs.get(&digest[0])?)))
        });
        let repository = state.repositories.entry(name.to_owned()).or_default();
        let origin = match request.headers.get("host").filter(|_| self.options.absolute) {
            Some(host) => format!("http://{host}"),
            None => String::new(),
        };
        let at = |id: &str, upload: &Upload| {
            format!("{origin}/v2/{name}/blobs/uploads/{id}?_state={}", upload.state)
        };
        let unknown = || Answer::error(404, "BLOB_UPLOAD_UNKNOWN", &Value::Null);
        if request.method == "POST" {
            if let Some((digest, bytes)) = mounted.filter(|_| self.options.mounts) {
                repository.blobs.insert(digest.clone(), bytes);
                return Answer::new(201).header("Location", format!("/v2/{name}/blobs/{digest}"));
            }
            if let Some(digest) = request.query.get("digest").filter(|_| self.options.single_post) {
                return finish(repository, name, &digest[0], request.body.clone());
            }
            let id = format!("session-{counter}");
            let upload = Upload::default();
            let location = at(&id, &upload);
            repository.uploads.insert(id, upload);
            return Answer::new(202).header("Location", location).header("Range", "0-0");
        }
        let Some(upload) = repository.uploads.get_mut(id) else { return unknown() };
        let state_of_request = request.query.get("_state").map(|state| state[0].clone());
        if state_of_request != Some(upload.state.to_string()) {
            return unknown();
        }
        match request.method.as_str() {
            "GET" => Answer::new(204)
                .header("Location", at(id, upload))
                .header("Range", format!("0-{}", upload.bytes.len().saturating_sub(1))),
            "DELETE" => {
                repository.uploads.remove(id);
                Answer::new(204)
            }
            "PATCH" => {
                let start = request
                    .headers
                    .get("content-range")
                    .and_then(|range| range.split('-').next()?.parse().ok());
                if start.is_some_and(|start: usize| start != upload.bytes.len()) {
                    return Answer::error(416, "BLOB_UPLOAD_INVALID", &Value::Null);
                }
                upload.bytes.extend_from_slice(&request.body);
                upload.state += 1;
                Answer::new(202)
                    .header("Location", at(id, upload))
                    .header("Range", format!("0-{}", upload.bytes.len().saturating_sub(1)))
            }
            "PUT" => {
                let Some(digest) = request.query.get("digest").map(|digest| digest[0].clone()) else {
                    return Answer::error(400, "DIGEST_INVALID", &Value::Null);
                };
                let mut bytes = std::mem::take(&mut upload.bytes);
                bytes.extend_from_slice(&request.body);
                repository.uploads.remove(id);
                finish(repository, name, &digest, bytes)
            }
            _ => Answer::error(405, "UNSUPPORTED", &Value::Null),
        }
    }

    fn blob(&self, state: &mut State, name: &str, digest: &str, request: &Request) -> Answer {
        let unknown = || Answer::error(404, "BLOB_UNKNOWN", &json!({"digest": digest}));
        let Some(repository) = state.repositories.get_mut(name) else { return unknown() };
        if request.method == "DELETE" && self.options.deletes {
            return if repository.blobs.remove(digest).is_some() { Answer::new(202) } else { unknown() };
        }
        let Some(bytes) = repository.blobs.get(digest) else { return unknown() };
        let called = if self.options.sha256_only { Digest::of(bytes).to_string() } else { digest.to_owned() };
        let answer = Answer::new(200).header("Docker-Content-Digest", called);
        let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
        let start: Option<usize> = range.and_then(|range| range.split('-').next()?.parse().ok());
        match start {
            Some(start) if start >= bytes.len() => Answer::new(416),
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                let answer = Answer { status: 206, ..answer.header("Content-Range", range) };
                answer.body("application/octet-stream", bytes[start..].to_vec())
            }
            None => answer.body("application/octet-stream", bytes.as_ref().clone()),
        }
    }

    fn manifest(&self, state: &mut State, name: &str, reference: &str, request: &Request) -> Answer {
        if request.method == "PUT" {
            return self.put_manifest(state, name, reference, request);
        }
        let unknown = || Answer::error(404, "MANIFEST_UNKNOWN", &json!({"reference": reference}));
        let Some(repository) = state.repositories.get_mut(name) else {
            return Answer::error(404, "NAME_UNKNOWN", &json!({"name": name}));
        };
        let digest = repository.tags.get(reference).cloned().unwrap_or_else(|| reference.to_owned());
        if request.method == "DELETE" && self.options.deletes {
            let found = if reference.contains(':') {
                repository.tags.retain(|_, tagged| *tagged != digest);
                repository.manifests.remove(&digest).is_some()
            } else {
                repository.tags.remove(reference).is_some()
            };
            return if found { Answer::new(202) } else { unknown() };
        }
        let Some((media_type, bytes)) = repository.manifests.get(&digest) else { return unknown() };
        // As docker-registry does it.
        if !request.headers.get("accept").is_some_and(|accept| accept.contains(media_type.as_str())) {
            return unknown();
        }
        let mut answer = Answer::new(200).body(media_type, bytes.clone());
        if self.options.distribution {
            answer = answer.header("Etag", format!("\"{digest}\""));
        }
        if self.options.olareg {
            answer = answer.header("Accept-Ranges", "bytes");
        }
        if self.options.distribution || self.options.olareg {
            answer = answer.header("Docker-Distribution-Api-Version", "registry/2.0");
        }
        if self.options.digest_header { answer.header("Docker-Content-Digest", digest) } else { answer }
    }

    fn put_manifest(&self, state: &mut State, name: &str, reference: &str, request: &Request) -> Answer {
        let repository = state.repositories.entry(name.to_owned()).or_default();
        let mut digest = Digest::of(&request.body).to_string();
        if reference.contains(':') && reference != digest {
            if self.options.sha256_only || !names(reference, &request.body) {
                return Answer::error(400, "DIGEST_INVALID", &Value::Null);
            }
            digest = reference.to_owned();
        }
        if self.options.many_tags && !reference.contains(':') && request.query.contains_key("tag") {
            return Answer::error(400, "UNSUPPORTED", &Value::Null);
        }
        let Ok(document) = serde_json::from_slice::<Value>(&request.body) else {
            return Answer::error(400, "MANIFEST_INVALID", &Value::Null);
        };
        let media_type = request.headers.get("content-type").cloned().unwrap_or_default();
        let digests = |field: &str| -> Vec<String> {
            let list = document[field].as_array().cloned().unwrap_or_else(|| vec![document[field].clone()]);
            list.iter().filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
        };
        if self.options.checks_named {
            let blobs = digests("config").into_iter().chain(digests("layers"));
            let mut missing: Vec<String> =
                blobs.filter(|digest| !repository.blobs.contains_key(digest)).collect();
            missing.extend(
                digests("manifests").into_iter().filter(|digest| !repository.manifests.contains_key(digest)),
            );
            if !missing.is_empty() {
                let errors: Vec<Value> = missing
                    .iter()
                    .map(|digest| json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "", "detail": {"digest": digest}}))
                    .collect();
                return Answer::new(400).body("application/json", json!({"errors": errors}).to_string());
            }
        }
        repository.manifests.insert(digest.clone(), (media_type, request.body.clone()));
        let mut answer = Answer::new(201).header("Location", format!("/v2/{name}/manifests/{digest}"));
        if self.options.digest_header {
            answer = answer.header("Docker-Content-Digest", &digest);
        }
        if !reference.contains(':') {
            repository.tags.insert(reference.to_owned(), digest.clone());
        } else if self.options.many_tags {
            for tag in request.query.get("tag").into_iter().flatten() {
                repository.tags.insert(tag.clone(), digest.clone());
                answer = answer.header("OCI-Tag", tag);
            }
        }
        match document["subject"]["digest"].as_str().filter(|_| self.options.referrers) {
            Some(subject) => answer.header("OCI-Subject", subject),
            None => answer,
        }
    }

    fn tags(&self, state: &State, name: &str, request: &Request) -> Answer {
        let Some(repository) = state.repositories.get(name) else {
            return Answer::error(404, "NAME_UNKNOWN", &json!({"name": name}));
        };
        let last = request.query.get("last").map(|last| last[0].clone()).unwrap_or_default();
        let all: Vec<String> = repository.tags.keys().filter(|tag| **tag > last).cloned().collect();
        let page: Vec<String> = all.iter().take(self.options.page).cloned().collect();
        let more = all.len() > page.len();
        let link = page
            .last()
            .filter(|_| more)
            .map(|last| format!("</v2/{name}/tags/list?last={last}>; rel=\"next\""));
        let answer =
            Answer::new(200).body("application/json", json!({"name": name, "tags": page}).to_string());
        match link {
            Some(link) => answer.header("Link", link),
            None => answer,
        }
    }

    fn referrers(&self, state: &State, name: &str, subject: &str, request: &Request) -> Answer {
        let kind = request.query.get("artifactType").map(|kind| kind[0].clone());
        let mut found = Vec::new();
        for (digest, (media_type, bytes)) in
            state.repositories.get(name).map(|one| &one.manifests).into_iter().flatten()
        {
            let Ok(document) = serde_json::from_slice::<Value>(bytes) else { continue };
            if document["subject"]["digest"] != *subject {
                continue;
            }
            let own = document["artifactType"].as_str().or(document["config"]["mediaType"].as_str());
            if kind.is_some() && own != kind.as_deref() {
                continue;
            }
            let mut entry =
                json!({"mediaType": media_type, "digest": digest, "size": bytes.len(), "artifactType": own});
            if document["annotations"].is_object() {
                entry["annotations"] = document["annotations"].clone();
            }
            found.push(entry);
        }
        let from: usize = request.query.get("from").and_then(|from| from[0].parse().ok()).unwrap_or(0);
        let page: Vec<Value> = found.iter().skip(from).take(self.options.page).cloned().collect();
        let next = from + page.len();
        let body = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": page});
        let mut answer = Answer::new(200).body(media_type::INDEX, body.to_string());
        if kind.is_some() {
            answer = answer.header("OCI-Filters-Applied", "artifactType");
        }
        if next < found.len() {
            answer =
                answer.header("Link", format!("</v2/{name}/referrers/{subject}?from={next}>; rel=\"next\""));
        }
        answer
    }
}

impl Request {
    /// Path and query as they came.
    fn target(&self) -> String {
        self.headers.get(":target").cloned().unwrap_or_default()
    }

    /// Repository and name of an upload session.
    fn session(&self) -> Option<(String, String)> {
        let (name, id) = self.path.strip_prefix("/v2/")?.split_once("/blobs/uploads/")?;
        (!id.is_empty()).then(|| (name.to_owned(), id.to_owned()))
    }
}

fn finish(repository: &mut Stored, name: &str, digest: &str, bytes: Vec<u8>) -> Answer {
    if !names(digest, &bytes) {
        return Answer::error(400, "DIGEST_INVALID", &Value::Null);
    }
    repository.blobs.insert(digest.to_owned(), Arc::new(bytes));
    Answer::new(201)
        .header("Location", format!("/v2/{name}/blobs/{digest}"))
        .header("Docker-Content-Digest", digest)
}

/// Whether a digest is that of some bytes.
fn names(digest: &str, bytes: &[u8]) -> bool {
    digest.parse::<Digest>().is_ok_and(|digest| digest.algorithm().digest(bytes) == digest)
}

fn logged(request: &Request, status: u16) -> Logged {
    let mut headers = request.headers.clone();
    headers.remove(":target");
    Logged { method: request.method.clone(), path: request.target(), headers, body: 0, status }
}

fn head(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::from([(":target".to_owned(), target.clone())]);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request { method, path: path.to_owned(), query: parse_query(query), headers, body: Vec::new() })
}

fn parse_query(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        query.entry(unescaped(name)).or_default().push(unescaped(value));
    }
    query
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.extend(u8::from_str_radix(&digits, 16));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}
