//! MD5 digests of a message, as SQS computes them. They detect damage in transit and protect
//! nothing.
//!
//! Source: RFC 1321; for attributes "Calculating the MD5 message digest for message attributes",
//! Amazon SQS Developer Guide.

/// Left rotations of each round of 16 steps.
const ROTATIONS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Bytes of a block.
const BLOCK: usize = 64;

/// `TransportType` of an attribute of type `String`.
const TEXT: u8 = 1;

/// The digest of a body, in hex.
pub(super) fn of_body(body: &str) -> String {
    hex::encode(digest(body.as_bytes()))
}

/// The digest of attributes of type `String`, in hex. They must be in the order of their names.
pub(super) fn of_attributes(attributes: &[(&str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (name, value) in attributes {
        for part in [name, "String"] {
            push(&mut bytes, part);
        }
        bytes.push(TEXT);
        push(&mut bytes, value);
    }
    hex::encode(digest(&bytes))
}

/// Length and bytes of a text.
fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn digest(message: &[u8]) -> [u8; 16] {
    // filled up to eight bytes below a whole block, which hold the length in bits
    let mut rest = message[message.len() / BLOCK * BLOCK..].to_vec();
    rest.push(0x80);
    rest.resize((rest.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    rest.extend((message.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state = START;
    for block in message.chunks_exact(BLOCK).chain(rest.chunks_exact(BLOCK)) {
        add(&mut state, block);
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

fn add(state: &mut [u32; 4], block: &[u8]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let [mut a, mut b, mut c, mut d] = *state;
    for step in 0..BLOCK {
        let (mixed, word) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
            2 => (b ^ c ^ d, (3 * step + 5) % 16),
            _ => (c ^ (b | !d), 7 * step % 16),
        };
        // the RFC's table: the integer part of 2^32 * |sin(step + 1)|
        let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
        let sum = mixed
            .wrapping_add(a)
            .wrapping_add(constant)
            .wrapping_add(words[word]);
        let rotated = sum.rotate_left(ROTATIONS[step / 16][step % 4]);
        (a, d, c, b) = (d, c, b, b.wrapping_add(rotated));
    }
    for (word, added) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_equal_those_of_the_rfc() {
        let digits = "1234567890".repeat(8);
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (digits.as_str(), "57edf4a22be3c955ac49da2e2107b67a"),
        ] {
            assert_eq!(of_body(text), digest, "{text}");
        }
    }

    #[test]
    fn lengths_around_a_block_are_padded() {
        // computed with md5sum
        for (length, digest) in [
            (55, "ef1772b6dff9a122358552954ad0df65"),
            (56, "3b0c8ac703f828b04c6c197006d17218"),
            (64, "014842d480b571495a4a0363793f7367"),
        ] {
            assert_eq!(of_body(&"a".repeat(length)), digest, "{length}");
        }
    }
}
