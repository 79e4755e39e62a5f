//! A stream, its groups and its dead letters share a slot of a cluster.

use testkit::redis_cluster::PrivateCluster;
use testkit::suite::run_again;

#[test]
fn every_test_of_a_stream_passes_on_three_nodes() {
    let cluster = PrivateCluster::start(3, 0);
    let modules = [
        "broadcast::",
        "group::",
        "poison::",
        "publishing::",
        "recovery::",
    ];
    run_again(&modules, &[("REDIS_GATE_URL", &cluster.url())]);
}
