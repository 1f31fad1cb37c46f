//! Makes other bytes from bytes.

use millpond::core::host::SeededRandom;

/// Numbers that readers stumble over, as lengths and counts above all.
const NUMBERS: [u32; 8] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// `original` with a few changes; now and then noise instead, or a true beginning with noise behind.
pub fn mutate(random: &mut SeededRandom, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    match random.below(10) {
        0 => return noise(random, 600),
        1 => {
            bytes.truncate(random.below(bytes.len() as u64) as usize);
            let tail = noise(random, 300);
            bytes.extend(tail);
            return bytes;
        }
        _ => {}
    }
    for _ in 0..=random.below(4) {
        change(random, &mut bytes);
    }
    bytes
}

fn noise(random: &mut SeededRandom, length_max: u64) -> Vec<u8> {
    (0..random.below(length_max))
        .map(|_| random.next_u64() as u8)
        .collect()
}

fn change(random: &mut SeededRandom, bytes: &mut Vec<u8>) {
    // Every second change is near the front, where what decides about the rest is.
    let span = if random.chance(1, 2) {
        64.min(bytes.len())
    } else {
        bytes.len()
    };
    let at = random.below(span as u64) as usize;
    match random.below(5) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            let number = NUMBERS[random.below(NUMBERS.len() as u64) as usize].to_be_bytes();
            for (place, byte) in bytes.iter_mut().skip(at).zip(number) {
                *place = byte;
            }
        }
        2 => bytes.truncate(at),
        3 => {
            let inserted = noise(random, 16);
            bytes.splice(at..at, inserted);
        }
        _ => {
            let from = random.below(bytes.len() as u64 + 1) as usize;
            let part: Vec<u8> = bytes
                .iter()
                .skip(from)
                .take(random.below(64) as usize)
                .copied()
                .collect();
            bytes.splice(at..at, part);
        }
    }
}
