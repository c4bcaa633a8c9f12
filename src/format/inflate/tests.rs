use std::io::Write as _;

use flate2::{Compression, Decompress, FlushDecompress, write::ZlibEncoder};
use proptest::prelude::*;

use super::*;

fn compressed(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(input: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = b"what was there".to_vec();
    Inflater::default().read(input, size, &mut out).map(|()| out)
}

/// Text as it stands in commits: some words often, some bytes as they come.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"feat: ".to_vec()),
        Just(b"Signed-off-by: ".to_vec()),
        Just(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec()),
        "[a-z]{1,12} ".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 1..40),
    ];
    proptest::collection::vec(word, 0..300).prop_map(|words| words.concat())
}

#[test]
fn the_numbers_of_the_specification() {
    assert_eq!((LENGTH[0], LENGTH[8], LENGTH[27], LENGTH[28]), ((3, 0), (11, 1), (227, 5), (258, 0)));
    assert_eq!((DISTANCE[0], DISTANCE[4], DISTANCE[29]), ((1, 0), (5, 1), (24577, 13)));
}

#[test]
fn blocks_of_each_kind() {
    // `a` with the codes that are always the same, from the specification: 3 bits of head, 8 of `a`, 7 of the end.
    assert_eq!(read(&[0x78, 0x9c, 0x4b, 0x04, 0x00, 0, 0x62, 0, 0x62], 1), Some(b"a".to_vec()));
    // Not compressed: two bytes.
    assert_eq!(read(&[0x78, 0x01, 1, 2, 0, 0xfd, 0xff, b'h', b'i'], 2), Some(b"hi".to_vec()));
    // The complement of the length is wrong, and a kind that does not exist.
    assert_eq!(read(&[0x78, 0x01, 1, 2, 0, 0xfd, 0xfe, b'h', b'i'], 2), None);
    assert_eq!(read(&[0x78, 0x01, 7, 0, 0, 0, 0, 0, 0], 0), None);
    // Heads: another method, a dictionary, a number that 31 does not divide.
    for head in [[0x79, 0x9c], [0x78, 0xbb], [0x78, 0x9d], [0x88, 0x1c]] {
        assert_eq!(read(&[head[0], head[1], 0x4b, 0x04, 0, 0, 0x62, 0, 0x62], 1), None, "{head:?}");
    }
    // A copy from before the start: length 3, distance 1, at once.
    assert_eq!(read(&[0x78, 0x9c, 0x03, 0x02, 0x00, 0, 0, 0, 0], 3), None);
}

#[test]
fn long_runs_and_long_codes() {
    let mut bytes = vec![b'x'; 70_000];
    // Frequencies that double make the longest codes there are.
    for byte in 0..18u8 {
        bytes.extend(std::iter::repeat_n(byte, 1 << byte));
    }
    bytes.extend((0..100_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8));
    for level in 0..10 {
        let input = compressed(&bytes, level);
        assert!(read(&input, bytes.len()).as_ref() == Some(&bytes), "{level}");
        assert_eq!(read(&input, bytes.len() - 1), None);
        assert_eq!(read(&input, bytes.len() + 1), None);
    }
}

proptest! {
    #[test]
    fn what_was_compressed_is_read(bytes in text(), level in 0u32..10, more in any::<[u8; 12]>()) {
        let mut inflater = Inflater::default();
        let mut out = Vec::new();
        let mut input = compressed(&bytes, level);
        // The end of the data counts, not that of the input; the checksum may be cut.
        prop_assert!(inflater.read(&input[..input.len() - 4], bytes.len(), &mut out).is_some());
        prop_assert_eq!(&out, &bytes);
        let cut = input.len() - 5;
        prop_assert_eq!(inflater.read(&input[..cut], bytes.len(), &mut out), None);
        input.extend(more);
        // Again with what is left of another.
        prop_assert!(inflater.read(&input, bytes.len(), &mut out).is_some());
        prop_assert_eq!(&out, &bytes);
    }

    #[test]
    fn what_is_damaged_is_refused_or_read_as_by_the_other(
        bytes in text(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut input = compressed(&bytes, 6);
        for (at, byte) in damage {
            let at = at.index(input.len());
            input[at] = byte;
        }
        if let Some(found) = read(&input, bytes.len()) {
            let mut out = vec![0; bytes.len() + 1];
            let mut other = Decompress::new(false);
            prop_assert!(other.decompress(&input[2..], &mut out, FlushDecompress::Finish).is_ok());
            out.truncate(usize::try_from(other.total_out()).unwrap());
            prop_assert_eq!(found, out);
        }
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 0usize..600) {
        let mut input = vec![0x78, 0x9c];
        input.extend(bytes);
        read(&input, size);
    }
}
