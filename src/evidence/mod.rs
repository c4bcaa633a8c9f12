//! Floor 3: facts with digest, origin, commit and time.
