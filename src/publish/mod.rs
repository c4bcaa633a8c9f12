//! Floor 3: observe, diff, one action, read back, until nothing is left.
