//! Floor 5: values of the floors below as text, JSON, Markdown. The frozen wire types live in [`json`].

pub mod github;
pub mod json;
pub mod junit;
pub mod sarif;
pub mod text;
