//! Floor 3: a published release to a report. Shares nothing with publish above floor 2, so that a blind spot of the
//! one is not a blind spot of the other.
//!
//! What it stops: a flipped, added or removed byte in any published file, a release signed by somebody else, a
//! manifest that says other things than what was signed, an image whose parts are missing or exchanged. What it does
//! not stop: a signer who signs lies, and a trust root that the consumer took from the attacker.

mod image;
mod layout;
mod release;
mod report;

pub use layout::closed;
pub use release::{Beside, Face, Published, release};
pub use report::{Finding, Reason, Report, Signature, Subject, Verdict};
