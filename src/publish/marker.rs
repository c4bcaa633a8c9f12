//! The hidden line at the end of a release's text that says whose it is.

use crate::model::Rid;

/// `<!-- kyklos-release rid=sha256:… op=… -->`. A hint, never a proof: trust comes from digests and signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The release.
    pub rid: Rid,
    /// The run that created the draft.
    pub nonce: String,
}

const START: &str = "<!-- kyklos-release rid=";

impl Marker {
    /// A text with the marker behind it.
    pub fn append(&self, text: &str) -> String {
        format!("{}\n\n{START}{} op={} -->\n", text.trim_end(), self.rid, self.nonce)
    }

    /// The marker of a text. Forges may change line ends and trailing space, nothing else is forgiven.
    pub fn find(body: &str) -> Option<Self> {
        let line = body.trim_end().lines().next_back()?.trim();
        let (rid, nonce) = line.strip_prefix(START)?.strip_suffix(" -->")?.split_once(" op=")?;
        let valid =
            !nonce.is_empty() && nonce.len() <= 64 && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if valid { Some(Self { rid: Rid(rid.parse().ok()?), nonce: nonce.to_owned() }) } else { None }
    }

    /// A text without its marker.
    pub fn strip(body: &str) -> &str {
        match body.rfind(START) {
            Some(start) if Self::find(body).is_some() => body[..start].trim_end(),
            _ => body.trim_end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    #[test]
    fn survives_a_round_trip_and_other_line_ends() {
        let marker = Marker { rid: Rid(Digest::of(b"x")), nonce: "00ff".to_owned() };
        let body = marker.append("# Notes\n\ntext\n");
        assert_eq!(Marker::find(&body), Some(marker.clone()));
        assert_eq!(Marker::find(&body.replace('\n', "\r\n")), Some(marker));
        assert_eq!(Marker::strip(&body), "# Notes\n\ntext");
    }

    #[test]
    fn a_quoted_marker_is_none() {
        let body = Marker { rid: Rid(Digest::of(b"x")), nonce: "1".to_owned() }.append("a");
        assert_eq!(Marker::find(&format!("{body}more")), None);
        assert_eq!(Marker::find(&body.replace("op=1", "op=1 2")), None);
        assert_eq!(Marker::find(""), None);
    }
}
