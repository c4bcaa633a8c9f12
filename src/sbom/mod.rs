//! Floor 2: what is in the bytes, as a bill of materials.
