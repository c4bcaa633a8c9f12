//! Floor 2: checksums, statements and signatures over `port::trust`.
