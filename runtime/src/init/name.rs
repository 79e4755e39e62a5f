//! Names of functions, folders and stacks. Pure.

use super::error::NameError;

/// Longest name, so that `NameFailedQueue` and the names of queues fit the limits of the services.
const MAX: usize = 40;

/// Names that neither a crate nor a module can have.
const RESERVED: [&str; 41] = [
    "abstract", "alloc", "as", "async", "await", "break", "const", "continue", "core", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "fn", "for", "if", "impl", "in", "let", "loop",
    "match", "mod", "move", "mut", "pub", "ref", "return", "self", "static", "std", "struct",
    "super", "test", "trait", "true", "type", "use", "while",
];

/// The name of a function, as its folder has it: words of lower-case letters and digits with
/// hyphens between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName(String);

impl FunctionName {
    /// Reads `send-mail` or `SendMail`, which name the same function.
    ///
    /// # Errors
    /// The name has other characters, is too long or is a word that a language reserves.
    pub fn new(written: &str) -> Result<Self, NameError> {
        let invalid = || NameError::Invalid(written.to_owned());
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if !written.starts_with(|first: char| first.is_ascii_alphabetic())
            || !written.chars().all(plain)
            || written.ends_with('-')
            || written.contains("--")
        {
            return Err(invalid());
        }
        let mut folder = String::new();
        let mut earlier = '-';
        for letter in written.chars() {
            let begins_word = letter.is_ascii_uppercase()
                && (earlier.is_ascii_lowercase() || earlier.is_ascii_digit());
            if begins_word {
                folder.push('-');
            }
            folder.push(letter.to_ascii_lowercase());
            earlier = letter;
        }
        if folder.len() > MAX {
            return Err(NameError::Long(written.to_owned(), MAX));
        }
        if RESERVED.contains(&folder.as_str()) {
            return Err(NameError::Reserved(written.to_owned()));
        }
        Ok(Self(folder))
    }

    /// Name of its folder: `send-mail`.
    pub fn folder(&self) -> &str {
        &self.0
    }

    /// Its logical id in the template: `SendMail`.
    pub fn logical_id(&self) -> String {
        let mut id = String::new();
        for word in self.0.split('-') {
            let (first, rest) = word.split_at(1.min(word.len()));
            id.push_str(&first.to_ascii_uppercase());
            id.push_str(rest);
        }
        id
    }
}

impl std::str::FromStr for FunctionName {
    type Err = NameError;

    fn from_str(written: &str) -> Result<Self, NameError> {
        Self::new(written)
    }
}

/// A name of a stack from the name of a folder: other characters become hyphens.
pub(super) fn stack(folder: &str) -> String {
    let mut name = String::new();
    for letter in folder.chars().take(MAX) {
        if letter.is_ascii_alphanumeric() {
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name.to_owned()
    } else if name.is_empty() {
        "app".to_owned()
    } else {
        format!("app-{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_function() {
        for (written, folder, id) in [
            ("hello", "hello", "Hello"),
            ("send-mail", "send-mail", "SendMail"),
            ("SendMail", "send-mail", "SendMail"),
            ("S3Copy", "s3-copy", "S3Copy"),
            ("HTTP", "http", "Http"),
        ] {
            let name = FunctionName::new(written).unwrap();
            assert_eq!((name.folder(), name.logical_id().as_str()), (folder, id));
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let long = "a".repeat(MAX + 1);
        for written in [
            "", "-a", "a-", "a--b", "1st", "a b", "a/b", "..", "ä", "test", "fn", &long,
        ] {
            assert!(FunctionName::new(written).is_err(), "{written}");
        }
    }

    #[test]
    fn every_folder_gives_a_name_of_a_stack() {
        for (folder, name) in [
            ("shop", "shop"),
            ("My Shop_2", "my-shop-2"),
            (".tmpAb", "tmpab"),
            ("2026", "app-2026"),
            ("", "app"),
            ("..", "app"),
        ] {
            assert_eq!(stack(folder), name);
        }
    }
}
