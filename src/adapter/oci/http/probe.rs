//! What a registry can do, found out by asking, each answer with the request that showed it.
//!
//! Nothing stays behind: uploads that are opened are cancelled, content that is offered has another digest than it is
//! offered under, and what is deleted was never there. What cannot be asked without leaving something is not asked, and a
//! host that does not let somebody ask is an unknown, not a no.

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION, RANGE};
use reqwest::{Method, StatusCode};

use super::HttpRegistry;
use super::answer::text;
use super::redirect::follow;
use super::send::{Ask, Place};
use crate::format::oci::media_type;
use crate::model::Digest;
use crate::port::RegistryError;

/// Something a registry can do or cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In kebab case.
    pub name: &'static str,
    /// Whether it can; `None` when that could not be asked.
    pub supported: Option<bool>,
    /// The request and what was answered.
    pub evidence: String,
}

/// What was answered.
struct Answered {
    request: String,
    status: Option<u16>,
    headers: HeaderMap,
    error: Option<RegistryError>,
}

impl Answered {
    fn evidence(&self) -> String {
        match (self.status, &self.error) {
            (Some(status), _) => format!("{} answered {status}", self.request),
            (None, Some(error)) => error.to_string(),
            (None, None) => format!("{} was not answered", self.request),
        }
    }

    fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status.as_u16())
    }

    /// Whether the answer says nothing of the host, only of who asks, or that it was busy.
    fn is_silent(&self) -> bool {
        self.status.is_none_or(|status| matches!(status, 401 | 403 | 408 | 429 | 500..))
    }

    fn finding(&self, name: &'static str, supported: bool) -> Finding {
        let supported = (!self.is_silent()).then_some(supported);
        Finding { name, supported, evidence: self.evidence() }
    }
}

impl HttpRegistry {
    /// Asks what the host of the repository can do. An error is one of reaching it at all, or of not being let in.
    pub async fn probe(&self) -> Result<Vec<Finding>, RegistryError> {
        let mut found = Vec::new();
        // Bytes that nobody has stored, so that whatever is said of them is said of the host.
        let offered = Bytes::from(format!("probe of {}", self.inner.repository));
        let absent = Digest::of(&[&offered[..], b" that is not there"].concat());
        let tags = self.probed(Ask::below(Method::GET, "tags/list?n=1")).await;
        let listed = tags.finding("tag-list", tags.is(StatusCode::OK) || tags.is(StatusCode::NOT_FOUND));
        if let (None | Some(401 | 403), Some(error)) = (tags.status, tags.error) {
            return Err(error);
        }
        let asked_for = self.inner.host.auth.asked_for().await;
        found.push(Finding {
            name: "login",
            supported: Some(asked_for != "none"),
            evidence: format!("the host asks for {asked_for}"),
        });
        found.push(listed);
        let referrers = self
            .probed(
                Ask::below(Method::GET, format!("referrers/{absent}")).header("accept", media_type::INDEX),
            )
            .await;
        found.push(referrers.finding("referrers-api", referrers.is(StatusCode::OK)));
        found.extend(self.probe_uploads(&offered, &absent).await);
        found.push(self.probe_range().await?);
        let deleted = self.probed(Ask::below(Method::DELETE, format!("manifests/{absent}"))).await;
        // A host that deletes and one that does not both say 404 of what is not there; only a plain no is one.
        let supported = match deleted.status {
            Some(202) => Some(true),
            Some(405 | 501) => Some(false),
            _ => None,
        };
        found.push(Finding { name: "delete", supported, evidence: deleted.evidence() });
        let can = self.inner.host.known().abilities;
        found.push(Finding {
            name: "several-tags",
            supported: can.many_tags,
            evidence: match can.many_tags {
                Some(false) => "the host shows that it is made of distribution, which takes one at a time",
                Some(true) => "the host shows that it is made of olareg, which takes several",
                None => "only a manifest that stays would show it",
            }
            .to_owned(),
        });
        Ok(found)
    }

    async fn probe_uploads(&self, offered: &Bytes, absent: &Digest) -> Vec<Finding> {
        let mut found = Vec::new();
        let session = self.probed(Ask::below(Method::POST, "blobs/uploads/")).await;
        found.push(session.finding("upload", session.is(StatusCode::ACCEPTED)));
        let mut status = Answered { request: "GET blobs/uploads/…".to_owned(), ..session_less(&session) };
        if let Some(at) = self.place(&session.headers) {
            status = self.probed(Ask::new(Method::GET, Place::At(&at))).await;
            let newest = self.place(&status.headers).unwrap_or(at);
            self.probed(Ask::new(Method::DELETE, Place::At(&newest))).await;
        }
        let resumed = status.is(StatusCode::NO_CONTENT) || status.is(StatusCode::ACCEPTED);
        found.push(status.finding("upload-status", resumed));
        // Bytes of another digest: a host that reads them in this request says so and stores nothing.
        let whole = Ask::below(Method::POST, format!("blobs/uploads/?digest={absent}"))
            .header("content-type", "application/octet-stream")
            .body(offered.clone());
        let whole = self.probed(whole).await;
        if let Some(at) = self.place(&whole.headers).filter(|_| whole.is(StatusCode::ACCEPTED)) {
            self.probed(Ask::new(Method::DELETE, Place::At(&at))).await;
        }
        found.push(whole.finding("single-post-upload", whole.is(StatusCode::BAD_REQUEST)));
        let path = self.inner.repository.path();
        let mount =
            self.probed(Ask::below(Method::POST, format!("blobs/uploads/?mount={absent}&from={path}"))).await;
        if let Some(at) = self.place(&mount.headers).filter(|_| mount.is(StatusCode::ACCEPTED)) {
            self.probed(Ask::new(Method::DELETE, Place::At(&at))).await;
        }
        found.push(mount.finding("mount-or-upload", mount.is(StatusCode::ACCEPTED)));
        found
    }

    /// A part of a blob that is there: the config of whatever a tag points to.
    async fn probe_range(&self) -> Result<Finding, RegistryError> {
        let unknown = |reason: &str| Finding {
            name: "range",
            supported: None,
            evidence: format!("there is no blob to read a part of: {reason}"),
        };
        let Some(tag) = self.list_tags().await?.into_iter().next_back() else {
            return Ok(unknown("no tags"));
        };
        let Some(mut manifest) = self.get(&tag, None, crate::format::oci::MANIFEST_LIMIT).await? else {
            return Ok(unknown("the tag is gone"));
        };
        for _ in 0..2 {
            let Ok(document) =
                crate::format::oci::Document::parse(&manifest.bytes, Some(&manifest.media_type))
            else {
                return Ok(unknown("the manifest cannot be read"));
            };
            let Some(first) = document.named().next().map(|named| named.digest) else {
                return Ok(unknown("the manifest names nothing"));
            };
            if !media_type::is_index(document.media_type()) {
                let ask =
                    Ask::below(Method::GET, format!("blobs/{first}")).header(RANGE.as_str(), "bytes=0-0");
                let answered = self.probed(ask).await;
                return Ok(answered.finding("range", answered.is(StatusCode::PARTIAL_CONTENT)));
            }
            match self.get(&first.to_string(), Some(&first), crate::format::oci::MANIFEST_LIMIT).await? {
                Some(child) => manifest = child,
                None => return Ok(unknown("the first platform is gone")),
            }
        }
        Ok(unknown("the index holds indexes"))
    }

    /// Asks once: a second try would only hide what the host does.
    async fn probed(&self, ask: Ask<'_>) -> Answered {
        let exchange = self.exchange(&ask);
        let request = exchange.request;
        match self.once(&ask, None).await {
            Ok(reply) => {
                let status = Some(reply.status.as_u16());
                Answered { request, status, headers: reply.headers, error: None }
            }
            Err(failed) => {
                let error = RegistryError::from(failed);
                let status = match &error {
                    RegistryError::Answered { exchange, .. } => exchange.status,
                    _ => None,
                };
                Answered { request, status, headers: HeaderMap::new(), error: Some(error) }
            }
        }
    }

    fn place(&self, headers: &HeaderMap) -> Option<url::Url> {
        let home = self.inner.host.home().ok()?;
        follow(&home, &home, text(headers, LOCATION.as_str())?).ok()
    }
}

/// What is known of a session when there is none: as much as of the request that did not open it.
fn session_less(session: &Answered) -> Answered {
    let status = session.status.filter(|_| session.is_silent());
    Answered { request: String::new(), status, headers: HeaderMap::new(), error: None }
}
