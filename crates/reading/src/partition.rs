//! Which partition holds a meter: Kafka's own murmur2 of the key, as all producers use it (`murmur2_random`).

/// The partition of a key among `partitions`; 0 where there are none.
#[must_use]
pub fn of_key(key: &[u8], partitions: i32) -> i32 {
    let positive = murmur2(key).cast_signed() & i32::MAX;
    if partitions > 0 { positive % partitions } else { 0 }
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    #[expect(clippy::cast_possible_truncation, reason = "the algorithm takes 32 bits of the length")]
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (index, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_kafkas() {
        // The examples of Kafka's own test, org.apache.kafka.common.utils.UtilsTest.
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn a_partition_is_never_negative() {
        assert_eq!(of_key(b"abc", 12), 479_470_107 % 12);
        for key in ["21", "foobar", "", "meter-7"] {
            assert!((0..12).contains(&of_key(key.as_bytes(), 12)), "{key}");
            assert_eq!(of_key(key.as_bytes(), 0), 0, "{key}");
        }
    }
}
