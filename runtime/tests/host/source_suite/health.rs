//! Promises about outages: health names the source and its remedy until the outage is over, and
//! what comes then is handled.

use super::case::Case;
use super::items::Phase;
use super::{Outage, Setup, SourceUnderTest};

pub(super) async fn outage<S: SourceUnderTest>(outage: Outage) {
    let mut case = Case::<S>::down(Setup {
        outage: Some(outage),
        ..Setup::default()
    })
    .await;
    if S::begins_before(outage) {
        case.source.begin(outage).await;
        case.host.up().await;
    } else {
        case.host.up().await;
        let before = case.send_new(1).await;
        case.items.eventually(Phase::Done, &before).await;
        case.source.begin(outage).await;
    }
    let place = case.source.place();
    let (state, parts) = case.source.state_in(outage);
    let reason = case.eventually_named(&place, state).await;
    for part in parts {
        assert!(reason.contains(&part), "{part} is missing from {reason}");
    }
    case.source.end(&case.host, outage).await;
    case.eventually_well(&place).await;
    let after = case.send_new(1).await;
    case.items.eventually(Phase::Done, &after).await;
}
