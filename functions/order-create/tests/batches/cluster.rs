//! Batches on a Redis Cluster of three nodes.

use testkit::redis_cluster::PrivateCluster;
use testkit::suite::run_again;

#[test]
fn batches_are_stored_beside_a_cluster() {
    let cluster = PrivateCluster::start(3, 0);
    let modules = ["concurrent::", "orders::"];
    let url = cluster.url();
    run_again(&modules, &[("REDIS_GATE_URL", &url)]);
}
