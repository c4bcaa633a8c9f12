//! temp
use super::context::Context;
use super::error::CliError;
pub(super) struct Project;
impl Project {
    pub(super) fn open(_c: &Context) -> Result<Self, CliError> {
        Ok(Self)
    }
    pub(super) fn facts(&self, _t: &crate::model::Tag) -> Result<crate::plan::Facts, CliError> {
        Err(CliError::usage("x", "x"))
    }
}
