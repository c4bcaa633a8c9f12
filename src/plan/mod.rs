//! Floor 3: tag, configuration and repository facts to one release manifest.
