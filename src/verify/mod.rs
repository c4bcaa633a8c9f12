//! Floor 3: a published release to a report. Shares nothing with publish above floor 2.
