//! Floor 3: policy and evidence to a verdict. Pure and synchronous.
