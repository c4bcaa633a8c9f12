//! Compressed data in the form of zlib (RFC 1950, RFC 1951) that lies in memory as a whole and whose length after it is
//! known, as objects do in the packs of git. Streams are for `flate2`; most of what a history is made of is smaller than
//! the state that reading a stream sets up.
//!
//! The checksum at the end is not looked at: whoever asks knows the bytes by their id.

/// The longest code (RFC 1951, 3.2.7).
const MAX_BITS: usize = 15;
/// Codes of at most so many bits are told by one look into a table; longer ones are rare, by what they are.
const LOOK: usize = 10;
/// Lengths and literals: 286, and two that no data has.
const LITERALS: usize = 288;
/// Distances: 30, and two that no data has.
const DISTANCES: usize = 32;
/// In which order the lengths of the codes for lengths stand (3.2.7).
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// A step of copying.
const STEP: usize = 8;

/// What a code means: the bits it takes in all, those of the code alone, and a value. Zero is no code of the table.
type Meaning = u32;
/// The value is a byte.
const LITERAL: u32 = 1 << 31;
/// The block ends.
const END: u32 = 1 << 30;

const fn meaning(value: u32, code: u32, extra: u32) -> Meaning {
    (value << 12) | (code << 8) | (code + extra)
}

/// The base and the extra bits of a code, for lengths and distances (3.2.5).
const fn ranges<const N: usize>(first: u32, even: usize, group: usize) -> [(u32, u32); N] {
    let mut table = [(0, 0); N];
    let (mut base, mut at) = (first, 0);
    while at < N {
        let extra = if at < even { 0 } else { (at - even) / group + 1 };
        table[at] = (base, extra as u32);
        base += 1 << extra;
        at += 1;
    }
    table
}

const DISTANCE: [(u32, u32); 30] = ranges(1, 4, 2);
const LENGTH: [(u32, u32); 29] = {
    let mut table: [(u32, u32); 29] = ranges(3, 8, 4);
    // The last one has a code of its own.
    table[28] = (258, 0);
    table
};

/// What a symbol means, without its code; zero for those that no data has.
const fn symbols_of_literals() -> [u32; LITERALS] {
    let mut table = [0; LITERALS];
    let mut at = 0;
    while at < LITERALS {
        table[at] = match at {
            0..256 => LITERAL | meaning(at as u32, 0, 0),
            256 => END,
            257..286 => meaning(LENGTH[at - 257].0, 0, LENGTH[at - 257].1),
            _ => 0,
        };
        at += 1;
    }
    table
}

const fn symbols_of_distances() -> [u32; DISTANCES] {
    let mut table = [0; DISTANCES];
    let mut at = 0;
    while at < 30 {
        table[at] = meaning(DISTANCE[at].0, 0, DISTANCE[at].1);
        at += 1;
    }
    table
}

const fn symbols_of_lengths() -> [u32; 19] {
    let mut table = [0; 19];
    let mut at = 0;
    while at < 19 {
        table[at] = LITERAL | meaning(at as u32, 0, 0);
        at += 1;
    }
    table
}

static LITERAL_SYMBOLS: [u32; LITERALS] = symbols_of_literals();
static DISTANCE_SYMBOLS: [u32; DISTANCES] = symbols_of_distances();
static LENGTH_SYMBOLS: [u32; 19] = symbols_of_lengths();

/// One code of Huffman.
struct Code {
    /// What the next bits mean, as far as one look tells.
    table: [Meaning; 1 << LOOK],
    /// How many bits a look is.
    look: u32,
    /// How many codes there are of each length.
    counts: [u16; MAX_BITS + 1],
    /// The symbols that have one, in the order of their codes.
    sorted: [u16; LITERALS],
}

/// Which symbols have codes, and how long those are.
struct Lengths {
    counts: [u16; MAX_BITS + 1],
    used: [(u16, u8); LITERALS],
    number: usize,
}

impl Lengths {
    const fn new() -> Self {
        Self { counts: [0; MAX_BITS + 1], used: [(0, 0); LITERALS], number: 0 }
    }

    fn clear(&mut self) {
        self.counts = [0; MAX_BITS + 1];
        self.number = 0;
    }

    fn add(&mut self, symbol: usize, length: u8) -> Option<()> {
        *self.counts.get_mut(usize::from(length))? += 1;
        *self.used.get_mut(self.number)? = (u16::try_from(symbol).ok()?, length);
        self.number += 1;
        Some(())
    }
}

impl Code {
    const fn new() -> Self {
        Self { table: [0; 1 << LOOK], look: 1, counts: [0; MAX_BITS + 1], sorted: [0; LITERALS] }
    }

    /// Makes the code of its lengths (3.2.2). `None` when they make none.
    fn make(&mut self, lengths: &Lengths, symbols: &[u32]) -> Option<()> {
        self.counts = lengths.counts;
        let longest = (1..=MAX_BITS).rev().find(|length| self.counts[*length] > 0).unwrap_or(1);
        let look = longest.min(LOOK);
        self.look = u32::try_from(look).ok()?;
        let (mut places, mut next, mut room) = ([0u16; MAX_BITS + 1], 0, 1i32);
        for (place, count) in places.iter_mut().zip(self.counts).take(longest + 1).skip(1) {
            *place = next;
            next += count;
            room = 2 * room - i32::from(count);
            if room < 0 {
                return None;
            }
        }
        for (symbol, length) in lengths.used.get(..lengths.number)? {
            let place = places.get_mut(usize::from(*length))?;
            *self.sorted.get_mut(usize::from(*place))? = *symbol;
            *place += 1;
        }
        // A code that leaves room leaves places without a meaning.
        if room > 0 || longest > LOOK {
            self.table[..1 << look].fill(0);
        }
        self.fill(look, symbols)
    }

    /// Codes are written with the first bit lowest. The table of codes of up to `length` bits, twice, is the one of a bit
    /// more, but for the codes of that length.
    fn fill(&mut self, look: usize, symbols: &[u32]) -> Option<()> {
        let (mut code, mut at) = (0usize, 0usize);
        for length in 1..=look {
            if length > 1 {
                let half = 1 << (length - 1);
                self.table.copy_within(..half, half);
            }
            let bits = u32::try_from(length).ok()?;
            let size = 1usize << length;
            for _ in 0..self.counts[length] {
                let symbol = *symbols.get(usize::from(*self.sorted.get(at)?))?;
                // Symbols that no data has are no codes.
                self.table[code & (size - 1)] = if symbol == 0 { 0 } else { symbol + (bits << 8) + bits };
                at += 1;
                // The next code: one more, counted from the highest bit.
                let free = !code & (size - 1);
                if free == 0 {
                    return Some(());
                }
                let bit = 1 << free.ilog2();
                code = (code & (bit - 1)) | bit;
            }
        }
        Some(())
    }

    /// A code that is longer than a look, bit by bit.
    #[cold]
    fn long(&self, bits: u64, symbols: &[u32]) -> Option<Meaning> {
        let (mut code, mut first, mut place) = (0u32, 0u32, 0u32);
        for length in 1..=MAX_BITS {
            code |= u32::from(bits >> (length - 1) & 1 != 0);
            let count = u32::from(self.counts[length]);
            if code < first + count {
                let symbol = *self.sorted.get((place + code - first) as usize)?;
                let symbol = *symbols.get(usize::from(symbol))?;
                let bits = u32::try_from(length).ok()?;
                return (symbol != 0).then_some(symbol + (bits << 8) + bits);
            }
            place += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Bits of the input, the first lowest.
struct Bits<'a> {
    input: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
    /// Bytes that are taken for zero behind the end.
    behind: u32,
}

impl Bits<'_> {
    /// At least 56 bits.
    #[inline(always)]
    fn refill(&mut self) {
        if let Some(bytes) = self.input.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            self.bits |= u64::from_le_bytes(*bytes) << self.count;
            let more = (63 - self.count) >> 3;
            self.at += more as usize;
            self.count += more << 3;
        } else {
            self.refill_slowly();
        }
    }

    #[cold]
    fn refill_slowly(&mut self) {
        while self.count < 56 {
            match self.input.get(self.at) {
                Some(byte) => {
                    self.bits |= u64::from(*byte) << self.count;
                    self.at += 1;
                }
                None => self.behind += 1,
            }
            self.count += 8;
        }
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.bits >>= bits;
        self.count -= bits;
    }

    /// At most 16 bits, which are there.
    #[inline(always)]
    fn take(&mut self, bits: u32) -> usize {
        let value = self.bits & ((1 << bits) - 1);
        self.skip(bits);
        // Less than 2^16.
        value as usize
    }

    /// Whether more was taken than there is.
    fn is_over(&self) -> bool {
        self.behind * 8 > self.count
    }
}

/// Reads compressed data. What it sets up is used again.
pub struct Inflater {
    literals: Code,
    distances: Code,
    lengths: Lengths,
    more: Lengths,
    /// Whether the codes are those that are always the same.
    fixed: bool,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            literals: Code::new(),
            distances: Code::new(),
            lengths: Lengths::new(),
            more: Lengths::new(),
            fixed: false,
        }
    }
}

impl Inflater {
    /// Reads data that begins where the input does and has `size` bytes afterwards, into a buffer whose content is
    /// replaced. `None` when it is no such data, and when its end is not in the input; then the buffer holds anything.
    pub fn read(&mut self, input: &[u8], size: usize, out: &mut Vec<u8>) -> Option<()> {
        // Deflate, a window of at most 32 KiB, no dictionary, and a number that 31 divides (RFC 1950, 2.2).
        let head = input.first_chunk::<2>()?;
        let (method, flags) = (head[0], head[1]);
        let known = method & 15 == 8 && method >> 4 <= 7 && flags & 0x20 == 0;
        (known && u16::from_be_bytes(*head) % 31 == 0).then_some(())?;
        let mut bits = Bits { input, at: 2, bits: 0, count: 0, behind: 0 };
        // Copies write whole steps.
        out.resize(size + STEP, 0);
        let mut written = 0;
        loop {
            bits.refill();
            let (last, kind) = (bits.take(1), bits.take(2));
            match kind {
                0 => written = stored(&mut bits, out, written, size)?,
                1 => {
                    self.usual()?;
                    written = self.block(&mut bits, out, written, size)?;
                }
                2 => {
                    self.codes(&mut bits)?;
                    written = self.block(&mut bits, out, written, size)?;
                }
                _ => return None,
            }
            if bits.is_over() {
                return None;
            }
            if last == 1 {
                out.truncate(size);
                return (written == size).then_some(());
            }
        }
    }

    /// The codes that are always the same (RFC 1951, 3.2.6).
    fn usual(&mut self) -> Option<()> {
        if self.fixed {
            return Some(());
        }
        self.lengths.clear();
        for symbol in 0..LITERALS {
            let length = match symbol {
                144..256 => 9,
                256..280 => 7,
                _ => 8,
            };
            self.lengths.add(symbol, length)?;
        }
        self.literals.make(&self.lengths, &LITERAL_SYMBOLS)?;
        self.lengths.clear();
        for symbol in 0..DISTANCES {
            self.lengths.add(symbol, 5)?;
        }
        self.distances.make(&self.lengths, &DISTANCE_SYMBOLS)?;
        self.fixed = true;
        Some(())
    }

    /// The codes that stand before a block (3.2.7).
    fn codes(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.fixed = false;
        let (literals, distances, codes) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
        (literals <= 286 && distances <= 30).then_some(())?;
        let mut written = [0u8; 19];
        for order in &ORDER[..codes] {
            if bits.count < 3 {
                bits.refill();
            }
            written[usize::from(*order)] = u8::try_from(bits.take(3)).ok()?;
        }
        self.lengths.clear();
        for (symbol, length) in written.into_iter().enumerate().filter(|(_, length)| *length > 0) {
            self.lengths.add(symbol, length)?;
        }
        // The table of distances is free until its own code is made.
        self.distances.make(&self.lengths, &LENGTH_SYMBOLS)?;
        self.lengths.clear();
        self.more.clear();
        let (mut at, mut last) = (0, 0);
        let all = literals + distances;
        let mask = (1u64 << self.distances.look) - 1;
        while at < all {
            // A code and what it repeats have at most 14 bits.
            if bits.count < 14 {
                bits.refill();
            }
            let found = self.distances.table[(bits.bits & mask) as usize & ((1 << LOOK) - 1)];
            (found != 0).then_some(())?;
            bits.skip(found & 0xff);
            let (times, length) = match (found >> 12) & 0x1f {
                16 if at > 0 => (bits.take(2) + 3, last),
                17 => (bits.take(3) + 3, 0),
                18 => (bits.take(7) + 11, 0),
                16.. => return None,
                length => (1, u8::try_from(length).ok()?),
            };
            last = length;
            let end = at + times;
            (end <= all).then_some(())?;
            if length > 0 {
                for symbol in at..end {
                    match symbol.checked_sub(literals) {
                        None => self.lengths.add(symbol, length)?,
                        Some(distance) => self.more.add(distance, length)?,
                    }
                }
            }
            at = end;
        }
        self.literals.make(&self.lengths, &LITERAL_SYMBOLS)?;
        self.distances.make(&self.more, &DISTANCE_SYMBOLS)
    }

    /// A block of codes, to its end. `at` is where the next byte goes.
    fn block(&self, bits: &mut Bits<'_>, out: &mut [u8], mut at: usize, size: usize) -> Option<usize> {
        const PLACES: usize = (1 << LOOK) - 1;
        let (literals, distances) = (&self.literals, &self.distances);
        let masks = ((1u64 << literals.look) - 1, (1u64 << distances.look) - 1);
        let out = out.get_mut(..size + STEP)?;
        loop {
            bits.refill();
            let mut found = literals.table[(bits.bits & masks.0) as usize & PLACES];
            // Three literals leave enough bits for the look behind them.
            let mut left = 3;
            while found & LITERAL != 0 {
                bits.skip(found & 0xff);
                // One byte too many is seen below.
                *out.get_mut(at)? = (found >> 12) as u8;
                at += 1;
                found = literals.table[(bits.bits & masks.0) as usize & PLACES];
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            (at <= size).then_some(())?;
            if found & LITERAL != 0 {
                continue;
            }
            if found == 0 {
                bits.refill();
                found = literals.long(bits.bits, &LITERAL_SYMBOLS)?;
                if found & LITERAL != 0 {
                    bits.skip(found & 0xff);
                    *out.get_mut(at)? = (found >> 12) as u8;
                    at += 1;
                    (at <= size && !bits.is_over()).then_some(())?;
                    continue;
                }
            }
            if found & END != 0 {
                bits.skip(found & 0xff);
                return Some(at);
            }
            if bits.count < 48 {
                bits.refill();
            }
            let length = value(bits, found);
            let mut found = distances.table[(bits.bits & masks.1) as usize & PLACES];
            if found == 0 {
                found = distances.long(bits.bits, &DISTANCE_SYMBOLS)?;
            }
            let distance = value(bits, found);
            let end = at + length;
            (end <= size && distance <= at && !bits.is_over()).then_some(())?;
            copy(out, at, distance, end);
            at = end;
        }
    }
}

/// The value of a code with its extra bits.
#[inline(always)]
fn value(bits: &mut Bits<'_>, found: Meaning) -> usize {
    let (all, code) = (found & 0xff, (found >> 8) & 15);
    let extra = (bits.bits & ((1 << all) - 1)) >> code;
    bits.skip(all);
    // Fits: at most 15 bits.
    ((found >> 12) & 0xffff) as usize + extra as usize
}

/// Repeats what stands `distance` bytes before. Behind the end a step may be written.
#[inline(always)]
fn copy(out: &mut [u8], mut at: usize, distance: usize, end: usize) {
    if distance >= STEP {
        while at < end {
            let Some(step) = out.get(at - distance..).and_then(<[u8]>::first_chunk::<STEP>).copied() else {
                return;
            };
            if let Some(place) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<STEP>) {
                *place = step;
            }
            at += STEP;
        }
    } else {
        for place in at..end {
            out[place] = out[place - distance];
        }
    }
}

/// A block that is not compressed (3.2.4).
fn stored(bits: &mut Bits<'_>, out: &mut [u8], at: usize, size: usize) -> Option<usize> {
    // Whole bytes that were read too early go back.
    bits.skip(bits.count % 8);
    let back = (bits.count / 8).checked_sub(bits.behind)?;
    let start = bits.at - back as usize;
    let head = bits.input.get(start..)?.first_chunk::<4>()?;
    let length = u16::from_le_bytes([head[0], head[1]]);
    (length == !u16::from_le_bytes([head[2], head[3]])).then_some(())?;
    let (length, start) = (usize::from(length), start + 4);
    (at + length <= size).then_some(())?;
    out.get_mut(at..at + length)?.copy_from_slice(bits.input.get(start..start + length)?);
    (bits.at, bits.bits, bits.count, bits.behind) = (start + length, 0, 0, 0);
    Some(at + length)
}

#[cfg(test)]
mod tests;
