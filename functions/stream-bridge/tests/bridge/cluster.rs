//! The bridge on a Redis Cluster of three nodes.

use testkit::suite::run_on_cluster;

#[test]
fn entries_are_bridged_from_a_cluster() {
    let modules = ["forwarding::", "fifo::"];
    run_on_cluster(&modules, &["CACHE_URL"]);
}
