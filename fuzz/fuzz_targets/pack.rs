#![no_main]

use kyklos_release::format::pack;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pack::Index::parse(bytes, bytes.len() as u64);
    if let Some(entry) = pack::entry(bytes) {
        assert!(entry.head <= bytes.len());
    }
    let (base, delta) = bytes.split_at(bytes.len() / 2);
    let mut out = Vec::new();
    if pack::apply(base, delta, 1 << 20, &mut out).is_some() {
        assert!(out.len() <= 1 << 20);
    }
});
