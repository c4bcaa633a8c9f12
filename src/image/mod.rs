//! Floor 2: images over `port::registry`.
