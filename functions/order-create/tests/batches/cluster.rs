//! Batches on a Redis Cluster of three nodes.

use testkit::suite::run_on_cluster;

#[test]
fn batches_are_stored_beside_a_cluster() {
    let modules = ["concurrent::", "orders::"];
    run_on_cluster(&modules, &["REDIS_GATE_URL"]);
}
