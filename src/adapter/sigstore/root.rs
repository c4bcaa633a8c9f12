//! `trusted_root.json` (sigstore/protobuf-specs, `sigstore_trustroot.proto`, in its JSON form) for one authority and
//! one log.

use jiff::Timestamp;
use serde_json::json;

use crate::format::bundle::base64;
use crate::model::Digest;

/// What a trust root vouches for.
pub(super) struct Root<'a> {
    /// The certificate of the authority, DER.
    pub(super) authority: &'a [u8],
    /// The public key of the log, SPKI DER.
    pub(super) log_key: &'a [u8],
    /// The origin in the log's checkpoints.
    pub(super) origin: &'a str,
    /// From when on both count.
    pub(super) since: Timestamp,
}

impl Root<'_> {
    /// The file, pretty-printed for people who compare two of them.
    pub(super) fn to_json(&self) -> String {
        let window = json!({ "start": self.since.to_string() });
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": format!("https://{}", self.origin),
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(self.log_key),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": window,
                },
                "logId": { "keyId": base64(Digest::of(self.log_key).as_bytes()) },
            }],
            "certificateAuthorities": [{
                "subject": { "organization": "kyklos-release", "commonName": "local trust root" },
                "uri": format!("https://{}", self.origin),
                "certChain": { "certificates": [{ "rawBytes": base64(self.authority) }] },
                "validFor": window,
            }],
            "ctlogs": [],
            "timestampAuthorities": [],
        });
        format!("{root:#}\n")
    }
}
