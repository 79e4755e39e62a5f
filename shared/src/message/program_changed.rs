//! `program-changed` and `program-evicted`: a program has this version now.

use super::values::{BadValue, ProgramId, ProgramVersion};

/// A program has this version or a later one. Fields of a stream entry: `id` and `version`, both
/// text.
///
/// On the stream `program-changed`: the change is committed. On `program-evicted`: the shared cache
/// holds nothing older. Harmless if repeated or out of order, because only the greatest version
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProgramChanged {
    /// The program.
    pub id: ProgramId,
    /// Its version after the change.
    pub version: ProgramVersion,
}

/// Why fields are not a program change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// A field is missing.
    #[error("the field {0} is missing; a change has id and version")]
    Missing(&'static str),
    /// A field is out of bounds.
    #[error(transparent)]
    Bad(#[from] BadValue),
}

impl ProgramChanged {
    /// Name of the field with the program.
    pub const ID: &'static str = "id";
    /// Name of the field with the version.
    pub const VERSION: &'static str = "version";

    /// The fields of the entry.
    pub fn fields(&self) -> [(&'static str, String); 2] {
        [
            (Self::ID, self.id.to_string()),
            (Self::VERSION, self.version.to_string()),
        ]
    }

    /// Reads the fields of an entry with a look-up function. Ignores fields of a newer sender.
    pub fn read<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<Self, BadChange> {
        let id = field(Self::ID)
            .ok_or(BadChange::Missing(Self::ID))?
            .parse()?;
        let version = field(Self::VERSION)
            .ok_or(BadChange::Missing(Self::VERSION))?
            .parse()?;
        Ok(Self { id, version })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<ProgramChanged, BadChange> {
        ProgramChanged::read(|name| {
            fields
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| *value)
        })
    }

    proptest! {
        #[test]
        fn a_change_reads_back_what_it_wrote(id in 1_i64..1 << 53, version in 1_i64..1 << 53) {
            let change = ProgramChanged {
                id: ProgramId::new(id).expect("in bounds"),
                version: ProgramVersion::new(version).expect("in bounds"),
            };
            let fields = change.fields();
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name,
                value.as_str())).collect();
            prop_assert_eq!(read(&fields), Ok(change));
        }

        #[test]
        fn any_text_is_read_or_refused(id in ".{0,20}", version in ".{0,20}") {
            let _ = read(&[("id", &id), ("version", &version)]);
        }
    }

    #[test]
    fn an_invalid_change_names_its_field() {
        assert_eq!(read(&[("version", "1")]), Err(BadChange::Missing("id")));
        assert_eq!(read(&[("id", "1")]), Err(BadChange::Missing("version")));
        for bad in [
            "",
            "0",
            "-1",
            "01",
            "1.0",
            " 1",
            "9007199254740992",
            "99999999999999999999",
        ] {
            let error = read(&[("id", "1"), ("version", bad)])
                .expect_err("refused")
                .to_string();
            assert!(error.contains("version"), "{bad:?}: {error}");
        }
        assert!(read(&[("id", "1"), ("version", "2"), ("who", "promoter")]).is_ok());
    }
}
