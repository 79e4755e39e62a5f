//! A stream, its groups and its dead letters share a slot of a cluster.

use testkit::suite::run_on_cluster;

#[test]
fn every_test_of_a_stream_passes_on_three_nodes() {
    let modules = [
        "broadcast::",
        "group::",
        "poison::",
        "publishing::",
        "recovery::",
    ];
    run_on_cluster(&modules, &["REDIS_GATE_URL"]);
}
