//! MD5 digests with which the SDKs check a message, and the SHA-256 digest of content-based
//! deduplication. Pure.
//!
//! Source: "Calculating the MD5 message digest for message attributes", Amazon SQS Developer Guide.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::message::Attribute;

/// `TransportType` of texts and numbers, and of bytes.
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// The digest of a body, in hex.
pub(crate) fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
}

/// The digest of attributes, in hex; `None` without attributes.
pub(crate) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    let sorted: BTreeMap<&String, &Attribute> = attributes.into_iter().collect();
    let mut bytes = Vec::new();
    for (name, attribute) in &sorted {
        push(&mut bytes, name.as_bytes());
        push(&mut bytes, attribute.data_type.as_bytes());
        bytes.push(if attribute.is_binary() { BINARY } else { TEXT });
        push(&mut bytes, &attribute.bytes());
    }
    (!sorted.is_empty()).then(|| hex::encode(Md5::digest(bytes)))
}

/// The deduplication id of a message without one.
pub(crate) fn of_content(body: &str) -> String {
    hex::encode(Sha256::digest(body))
}

/// Length and bytes.
fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u32).to_be_bytes());
    bytes.extend(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_rfc_and_of_the_service() {
        assert_eq!(
            of_body("message digest"),
            "f96b697d7cb7938d525a2f31aaf161d0"
        );
        // test vector of aws-sdk-java's MessageMD5ChecksumHandler
        assert_eq!(of_body("test"), "098f6bcd4621d373cade4e832627b4f6");
        assert_eq!(of_attributes(&BTreeMap::new()), None);
    }

    #[test]
    fn attributes_are_digested_in_order_of_their_names() {
        let text = |value: &str| Attribute::text("String", value);
        let one: BTreeMap<String, Attribute> =
            [("b".to_owned(), text("2")), ("a".to_owned(), text("1"))].into();
        let mut reversed: Vec<_> = one.iter().collect();
        reversed.reverse();
        assert_eq!(of_attributes(&one), of_attributes(reversed));
    }
}
