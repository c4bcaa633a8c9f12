//! Packets (RFC 4880, section 4).

use super::PgpError;

/// More packets than a keyring of a few thousand keys has.
const MAX_PACKETS: usize = 200_000;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// Splits bytes into packets. Lengths that come in pieces belong to data, and are refused.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<Packet<'_>>, PgpError> {
    let mut reader = Reader(bytes);
    let mut found = Vec::new();
    while !reader.0.is_empty() {
        if found.len() >= MAX_PACKETS {
            return Err(PgpError::Data { reason: "it has too many packets" });
        }
        found.push(packet(&mut reader).ok_or(PgpError::Data { reason: "a packet is damaged" })?);
    }
    Ok(found)
}

fn packet<'a>(reader: &mut Reader<'a>) -> Option<Packet<'a>> {
    let first = reader.byte()?;
    if first & 0x80 == 0 {
        return None;
    }
    let (tag, length) = if first & 0x40 != 0 {
        (first & 0x3f, reader.length()?)
    } else {
        let length = match first & 3 {
            0 => u32::from(reader.byte()?),
            1 => u32::from(u16::from_be_bytes(reader.take(2)?.try_into().ok()?)),
            2 => reader.number()?,
            _ => return None,
        };
        ((first >> 2) & 0x0f, length)
    };
    Some(Packet { tag, body: reader.take(length as usize)? })
}

/// Numbers in network order.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A length of one, two or five bytes (section 4.2.2); `None` for one that comes in pieces.
    pub(super) fn length(&mut self) -> Option<u32> {
        match self.byte()? {
            first @ 0..=191 => Some(u32::from(first)),
            first @ 192..=223 => Some(((u32::from(first) - 192) << 8) + u32::from(self.byte()?) + 192),
            224..=254 => None,
            255 => self.number(),
        }
    }

    /// A multiprecision integer (section 3.2), without leading zeros.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        let bits = usize::from(self.short()?);
        let bytes = self.take(bits.div_ceil(8))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(&bytes[zeros..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_both_formats() {
        let mut bytes = vec![0x84, 2, 1, 2, 0xc2, 1, 9, 0x85, 0, 1, 7];
        bytes.extend([0xcd, 192, 8]);
        bytes.extend([5; 200]);
        let found = packets(&bytes).unwrap();
        let told: Vec<(u8, usize)> = found.iter().map(|packet| (packet.tag, packet.body.len())).collect();
        assert_eq!(told, [(1, 2), (2, 1), (1, 1), (13, 200)]);
        for bytes in
            [&[0x87, 1][..], &[0xc2, 224, 1], &[0xc2, 5, 1], &[0x02], &[0xc2, 255, 255, 255, 255, 255]]
        {
            assert!(packets(bytes).is_err(), "{bytes:?}");
        }
    }
}
