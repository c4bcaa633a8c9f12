//! Floor 2: commits to changelog, release notes and the next version.
