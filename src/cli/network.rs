//! The way to the network, as the command line describes it, and what is told while it is used.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::context::Context;
use super::error::CliError;
use crate::adapter::fs::read_linked;
use crate::adapter::http::{HttpSettings, Patience, Proxies};
use crate::adapter::oci::{CredentialSources, Direction, Event, Traffic, Wire, WireSettings};
use crate::port::Progress as _;
use crate::ui::Printer;

/// Most bytes of a file of certificate authorities.
const AUTHORITIES_LIMIT: u64 = 4 << 20;

impl Context {
    /// What every HTTP client of the process has in common.
    pub(super) fn http_settings(&self) -> Result<HttpSettings, CliError> {
        let named = self.network.ca_file.as_ref().map(|path| self.path(path));
        let authorities = named.map(|path| read_linked(&path, AUTHORITIES_LIMIT)).transpose()?;
        let proxies = Proxies::read(|name| self.variable(name))?;
        Ok(HttpSettings { authorities, offline: self.network.offline, proxies })
    }

    /// How often and how long things are tried again.
    pub(super) fn patience(&self) -> Patience {
        Patience::new(u64::from_str_radix(&self.nonce(), 16).unwrap_or(1))
    }

    /// Most things that are done side by side.
    pub(super) fn jobs(&self) -> usize {
        self.network.jobs.get()
    }

    /// The way to registries; made when it is first needed.
    pub(super) fn wire(&self) -> Result<&Arc<Wire>, CliError> {
        if let Some(wire) = self.wire.get() {
            return Ok(wire);
        }
        let printer = self.printer.clone();
        let wire = Wire::new(WireSettings {
            http: self.http_settings()?,
            plain_http: self.network.plain_http,
            credentials: self.credential_sources(),
            jobs: self.jobs(),
            patience: self.patience(),
            traffic: Arc::new(Traffic::told_to(move |event| tell(&printer, event))),
        });
        Ok(self.wire.get_or_init(|| wire))
    }

    /// The number of requests to registries so far.
    pub(super) fn requests(&self) -> u64 {
        self.wire.get().map_or(0, |wire| wire.requests())
    }

    /// Where docker (`DOCKER_CONFIG`) and podman (containers-auth.json(5)) keep logins. Tokens of a forge are none.
    fn credential_sources(&self) -> CredentialSources {
        let path = |name: &str| self.variable(name).map(PathBuf::from);
        let home = path("HOME").or_else(|| path("USERPROFILE"));
        let of_home = |below: &str| home.as_ref().map(|home| home.join(below));
        let docker = path("DOCKER_CONFIG").map(|path| path.join("config.json"));
        let files = [
            path("REGISTRY_AUTH_FILE"),
            path("XDG_RUNTIME_DIR").map(|path| path.join("containers/auth.json")),
            path("XDG_CONFIG_HOME")
                .or_else(|| of_home(".config"))
                .map(|path| path.join("containers/auth.json")),
            docker.or_else(|| of_home(".docker/config.json")),
        ];
        CredentialSources {
            inline: self.variable("DOCKER_AUTH_CONFIG").map(str::to_owned),
            only: self.network.authfile.as_ref().map(|path| self.path(path)),
            files: files.into_iter().flatten().map(|path| self.path(&path)).collect(),
        }
    }
}

/// Tells what happens on the wire: every request with `-v`, waits always, bytes where a line moves, and everything to
/// `--events`.
fn tell(printer: &Printer, event: &Event) {
    match event {
        Event::Request { number, method, url, status, error, elapsed } => {
            let outcome = match (status, error) {
                (Some(status), _) => status.to_string(),
                (None, error) => error.clone().unwrap_or_default(),
            };
            printer.detail(&format!("{method} {url} {outcome} ({} ms)", elapsed.as_millis()));
            let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            printer.event(|| {
                json!({"event": "request", "number": number, "method": method, "url": url, "status": status,
                    "error": error, "milliseconds": millis})
            });
        }
        Event::Wait { reason, wait } => {
            let mut text = reason.clone();
            // Writing to a String cannot fail.
            let _ = write!(text, "; trying again in {:.1} s", wait.as_secs_f64());
            printer.warn(&text);
        }
        Event::Moved { digest, direction, done, size } => {
            let verb = match direction {
                Direction::In => "reading",
                Direction::Out => "sending",
            };
            let short: String = digest.chars().take(19).collect();
            printer.moving(&format!("{verb} {short} ({} of {} MiB)", done >> 20, size.div_ceil(1 << 20)));
            printer.event(|| json!({"event": verb, "digest": digest, "done": done, "size": size}));
        }
    }
}
