#![no_main]

use kyklos_release::format::inflate::Inflater;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut out = Vec::new();
    let mut inflater = Inflater::default();
    // The first bytes say how long it should be.
    let Some((size, input)) = bytes.split_first_chunk::<2>() else { return };
    let size = usize::from(u16::from_le_bytes(*size));
    if inflater.read(input, size, &mut out).is_some() {
        assert_eq!(out.len(), size);
        // What was set up for one does not change the next.
        let mut again = Vec::new();
        assert!(inflater.read(input, size, &mut again).is_some());
        assert_eq!(out, again);
    }
});
