//! What `DuckDB` reads is what Postgres has.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::python::Tools;

use super::environment::{FileEnvironment, Records, with};

/// The rows of the page's last query. All of its queries are run.
pub(super) fn run_queries(folder: &Path) -> Vec<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(Tools::Files.program("python"))
        .arg(here.join("tests/collector/queries.py"))
        .arg(here.join("../../docs/reference/api-call-files.md"))
        .arg(folder)
        .output()
        .expect("Python runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

/// The sums of Postgres, in the form of that query.
async fn sums(env: &FileEnvironment) -> Vec<Value> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(r)::text FROM (
             SELECT s.topic, s.partition, s.incarnation, epoch_ms(m.minute) AS minute_ms, m.route, m.status, m.client, m.calls,
                    m.duration_us, m.max_us
             FROM api_minutes m JOIN api_sources s ON s.id = m.source
             ORDER BY s.topic, s.partition, s.incarnation, m.minute, m.route COLLATE \"C\", m.status, m.client) r",
    )
    .fetch_all(&env.raw)
    .await
    .expect("sums");
    rows.iter()
        .map(|row| serde_json::from_str(row).expect("a row"))
        .collect()
}

#[tokio::test]
async fn sums_of_the_files_equal_those_of_postgres() {
    with(|env| async move {
        for first in (0..500).step_by(50) {
            let both = [0, 1].map(|partition| Records::new("t", partition, first..first + 50));
            env.collect(&both).await;
        }
        env.collect(&[Records::new("t", 0, 480..520)]).await;
        env.upkeep().await.expect("upkeep");
        // Small and merged files together.
        assert!(env.check().await > 4);
        let from_files = run_queries(&env.path());
        assert!(from_files.len() > 10);
        assert_eq!(from_files, sums(&env).await);
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 4);
        assert_eq!(run_queries(&env.path()), from_files);
    })
    .await;
}
