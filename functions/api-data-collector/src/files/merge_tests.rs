//! Files of several schemas become one.

use std::sync::Arc;

use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Row;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::files::SCHEMA;

/// A file of this schema with one row: each text is `text`, each number is `number`.
fn file(schema: &str, text: &str, number: i32) -> Bytes {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a file");
    let columns = file.schema_descr().columns().to_vec();
    let mut rows = file.next_row_group().expect("a row group");
    for column in columns {
        let levels = (column.max_def_level() > 0).then_some(&[1][..]);
        let mut to = next(&mut rows).expect("a column");
        match column.physical_type() {
            Type::INT32 => to.typed::<Int32Type>().write_batch(&[number], levels, None),
            Type::INT64 => to
                .typed::<Int64Type>()
                .write_batch(&[number.into()], levels, None),
            _ => {
                let text = ByteArray::from(text);
                to.typed::<ByteArrayType>()
                    .write_batch(&[text], levels, None)
            }
        }
        .expect("a value");
        to.close().expect("a column");
    }
    rows.close().expect("a row group");
    file.into_inner().expect("a file").into()
}

fn rows(content: Vec<u8>) -> Vec<Row> {
    let file = SerializedFileReader::new(Bytes::from(content)).expect("a file");
    let rows = file.get_row_iter(None).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

#[test]
fn a_column_that_an_older_file_lacks_is_null_in_its_rows() {
    let older = SCHEMA.replace("  optional binary trace (STRING);\n", "");
    assert_ne!(older, SCHEMA);
    let merged = merge(vec![file(&older, "older", 1), file(SCHEMA, "newer", 2)]);
    let rows = rows(merged.expect("merged"));
    let of = |row: &Row, column: &str| {
        let mut columns = row.get_column_iter();
        let found = columns.find(|(name, _)| *name == column);
        found.expect("a column").1.to_string()
    };
    let texts: Vec<_> = rows
        .iter()
        .map(|row| (of(row, "log_offset"), of(row, "ip"), of(row, "trace")))
        .collect();
    let expected = [("1", "\"older\"", "null"), ("2", "\"newer\"", "\"newer\"")];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(texts, expected);
}

#[test]
fn row_groups_are_joined_up_to_a_bound() {
    let many = (0..20).map(|n| file(SCHEMA, "text", n)).collect();
    let merged = Bytes::from(merge(many).expect("merged"));
    let file = SerializedFileReader::new(merged).expect("a file");
    assert_eq!(file.num_row_groups(), 1);
    assert_eq!(file.metadata().file_metadata().num_rows(), 20);
}

#[test]
fn what_is_no_file_is_refused() {
    assert!(merge(vec![Bytes::from_static(b"no file")]).is_err());
}
