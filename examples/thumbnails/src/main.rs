//! Shrinks the pictures that a queue names. This file only wires.

mod batch;
mod picture;

use batch::{Event, Workshop};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let workshop = Workshop {
        pictures: std::env::var("PICTURES")?.into(),
        thumbnails: std::env::var("THUMBNAILS")?.into(),
        longest_side: std::env::var("LONGEST_SIDE")?.parse()?,
    };
    let work = |event: LambdaEvent<Event>| {
        let answer = workshop.work(event.payload);
        async { Ok::<_, Error>(answer) }
    };
    lambda_runtime::run(service_fn(work)).await
}
