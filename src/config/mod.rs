//! Floor 1: `release.yaml`: as written, then as meant. Knows no gate.
