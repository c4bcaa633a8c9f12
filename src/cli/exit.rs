//! Exit codes: the contract with scripts.

use std::process::ExitCode;

use crate::diag::Kind;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or the verdict is yes.
    Done = 0,
    /// The verdict is no: a gate failed, verification failed, drift found.
    No = 1,
    /// Usage, configuration or policy is wrong.
    Usage = 2,
    /// Cannot decide: evidence missing, stale, unbound or unreadable.
    Undecided = 3,
    /// Authentication or permission.
    Denied = 4,
    /// Conflict; a person must decide.
    Conflict = 5,
    /// Stopped half-way; safe to resume.
    Interrupted = 6,
    /// A bug in this tool.
    Internal = 70,
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Refused => Self::No,
            Kind::Usage => Self::Usage,
            Kind::Undecided => Self::Undecided,
            Kind::Denied => Self::Denied,
            Kind::Conflict => Self::Conflict,
            Kind::Interrupted => Self::Interrupted,
            Kind::Internal => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table in `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done, or the verdict is yes
   1  the verdict is no: a gate failed, verification failed, drift found
   2  usage, configuration or policy is wrong
   3  cannot decide: evidence missing, stale, unbound or unreadable
   4  authentication or permission
   5  conflict: a person must decide
   6  stopped half-way; safe to run again
  70  a bug in this tool";
