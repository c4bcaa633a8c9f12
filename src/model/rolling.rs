//! Rolling image tags: `latest`, `v1`, `v1.2` and names of the configuration, which move forward with stable releases.

use semver::Version;

/// Which versions a rolling tag speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollingScope {
    /// `v1.2` or `1.2`: those of one line.
    Minor(u64, u64),
    /// `v1` or `1`.
    Major(u64),
    /// Any other name: all of them.
    All,
}

impl RollingScope {
    /// Reads the name of a tag.
    pub fn of(tag: &str) -> Self {
        let mut parts = tag.strip_prefix('v').unwrap_or(tag).split('.').map(str::parse::<u64>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), None, None) => Self::Major(major),
            (Some(Ok(major)), Some(Ok(minor)), None) => Self::Minor(major, minor),
            _ => Self::All,
        }
    }

    /// Whether it speaks of a version.
    pub fn holds(self, version: &Version) -> bool {
        match self {
            Self::Minor(major, minor) => (version.major, version.minor) == (major, minor),
            Self::Major(major) => version.major == major,
            Self::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_speaks_of_its_line() {
        let version = Version::new(1, 2, 3);
        for (tag, holds) in [
            ("latest", true),
            ("stable", true),
            ("v1", true),
            ("1.2", true),
            ("v1.2", true),
            ("v1.3", false),
            ("v2", false),
            ("vv1", true),
        ] {
            assert_eq!(RollingScope::of(tag).holds(&version), holds, "{tag}");
        }
    }
}
