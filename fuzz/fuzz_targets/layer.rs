#![no_main]

use kyklos_release::format::oci::media_type;
use kyklos_release::image::{LayerFacts, LayerLimits, scan};
use kyklos_release::model::DigestAlgorithm;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in [media_type::LAYER, media_type::LAYER_GZIP, media_type::LAYER_ZSTD] {
        let content = Box::new(std::io::Cursor::new(bytes.to_vec()));
        let mut facts = LayerFacts::default();
        if scan(content, kind, DigestAlgorithm::Sha256, LayerLimits::default(), &mut facts).is_err() {
            assert_eq!(facts, LayerFacts::default());
        }
    }
});
