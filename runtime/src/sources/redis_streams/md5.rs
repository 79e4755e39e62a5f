//! MD5 digests of a message, as SQS computes them. They detect damage in transit and protect
//! nothing.
//!
//! Source: "Calculating the MD5 message digest for message attributes",
//! Amazon SQS Developer Guide.

use md5::{Digest as _, Md5};

/// `TransportType` of an attribute of type `String`.
const TEXT: u8 = 1;

/// The digest of a body, in hex.
pub(super) fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
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
    hex::encode(Md5::digest(bytes))
}

/// Length and bytes of a text.
fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_digest_of_the_rfc() {
        assert_eq!(
            of_body("message digest"),
            "f96b697d7cb7938d525a2f31aaf161d0"
        );
    }
}
