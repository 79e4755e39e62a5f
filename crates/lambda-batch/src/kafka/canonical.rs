//! The fast path for events as Lambda writes them: no blanks, no escapes, numbers as numbers.
//!
//! A batch of 10,000 records is several megabytes of JSON, most of which needs only a search for
//! the closing quote. Anything unexpected ends the fast path, and `decode` reads the event from its
//! beginning. Both read the same batch (a property in the tests).

use super::batch::{Content, HeaderSpans, KafkaBatch, RecordSpans};
use super::decode::topic_index;

/// The batch of an event in the usual form; `None` if it has another form, valid or not.
pub(super) fn read(event: &str) -> Option<KafkaBatch> {
    let mut batch = KafkaBatch::default();
    // most of an event is base64: four characters for three bytes
    batch.bytes.reserve(event.len() / 4 * 3);
    let mut text = Text {
        bytes: event.as_bytes(),
        at: 0,
    };
    let mut seen = false;
    text.each(b'{', b'}', |text| match text.name()? {
        b"records" => {
            seen = true;
            text.each(b'{', b'}', |text| {
                text.name()?;
                text.each(b'[', b']', |text| record(text, &mut batch))
            })
        }
        _ => text.string().filter(|text| plain(text)).map(drop),
    })?;
    (seen && text.at == text.bytes.len()).then_some(batch)
}

fn record(text: &mut Text<'_>, batch: &mut KafkaBatch) -> Option<()> {
    let mut topic = None;
    let mut partition = None;
    let mut offset = None;
    let mut timestamp = None;
    let mut key = Content::Null;
    let mut value = Content::Null;
    let mut headers = batch.headers.len()..batch.headers.len();
    text.each(b'{', b'}', |text| {
        match text.name()? {
            b"topic" => {
                topic = Some(topic_index(
                    batch,
                    str::from_utf8(text.string().filter(|name| plain(name))?).ok()?,
                ));
            }
            b"partition" => partition = Some(i32::try_from(text.number()?).ok()?),
            b"offset" => offset = Some(text.number()?),
            b"timestamp" => timestamp = Some(text.number()?),
            b"key" => key = content(text, batch)?,
            b"value" => value = content(text, batch)?,
            b"headers" => {
                let start = batch.headers.len();
                text.each(b'[', b']', |text| header(text, batch))?;
                headers = start..batch.headers.len();
            }
            _ => drop(text.string().filter(|text| plain(text))?),
        }
        Some(())
    })?;
    let topic = topic?;
    let partition = partition.filter(|p| *p >= 0)?;
    let offset = offset.filter(|o| *o >= 0)?;
    batch.entries.push(RecordSpans {
        topic,
        partition,
        offset,
        timestamp_ms: timestamp.filter(|t| *t >= 0),
        key,
        value,
        headers,
    });
    Some(())
}

fn content(text: &mut Text<'_>, batch: &mut KafkaBatch) -> Option<Content> {
    let start = batch.bytes.len();
    base64_simd::STANDARD
        .decode_append(text.string()?, &mut batch.bytes)
        .ok()?;
    Some(Content::Bytes(start..batch.bytes.len()))
}

fn header(text: &mut Text<'_>, batch: &mut KafkaBatch) -> Option<()> {
    text.each(b'{', b'}', |text| {
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(text.name()?);
        let end = batch.bytes.len();
        text.each(b'[', b']', |text| {
            // Java writes signed bytes, other languages unsigned ones
            batch
                .bytes
                .push(text.number().filter(|n| (-128..=255).contains(n))? as u8);
            Some(())
        })?;
        batch.headers.push(HeaderSpans {
            name: start..end,
            value: end..batch.bytes.len(),
        });
        Some(())
    })
}

/// The rest of the text.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn take(&mut self, byte: u8) -> Option<()> {
        self.is(byte).then(|| self.at += 1)
    }

    fn is(&self, byte: u8) -> bool {
        self.bytes.get(self.at) == Some(&byte)
    }

    /// Elements between brackets, with commas between them.
    fn each(
        &mut self,
        open: u8,
        close: u8,
        mut element: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        if self.is(close) {
            return self.take(close);
        }
        loop {
            element(self)?;
            if self.is(close) {
                return self.take(close);
            }
            self.take(b',')?;
        }
    }

    /// A string without escapes, without its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let rest = &self.bytes[self.at..];
        let string = &rest[..memchr::memchr(b'"', rest)?];
        self.at += string.len() + 1;
        Some(string)
    }

    /// A string that is a name, with its colon.
    fn name(&mut self) -> Option<&'a [u8]> {
        let name = self.string().filter(|name| plain(name))?;
        self.take(b':')?;
        Some(name)
    }

    /// A whole number.
    fn number(&mut self) -> Option<i64> {
        let negative = self.is(b'-');
        self.at += usize::from(negative);
        let rest = &self.bytes[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // JSON has no leading zeros. 18 digits always fit; numbers of 19 digits are rare.
        if !(1..=18).contains(&digits) || (digits > 1 && rest[0] == b'0') {
            return None;
        }
        let number = rest[..digits]
            .iter()
            .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        self.at += digits;
        // after a fraction or an exponent, the caller finds neither a comma nor a bracket
        Some(if negative { -number } else { number })
    }
}

/// Without escapes and without characters that JSON requires to be escaped.
fn plain(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte >= b' ' && *byte != b'\\')
}
