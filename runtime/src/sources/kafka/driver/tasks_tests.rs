use super::*;

#[tokio::test]
async fn every_end_is_returned_once() {
    let mut tasks = Tasks::new();
    tasks.run(async { 1 });
    tasks.spawn(async { 2 });
    let mut sum = 0;
    while let Some(ended) = tasks.next().await {
        sum += ended.unwrap();
    }
    assert_eq!(sum, 3);
}

#[tokio::test]
async fn a_panic_is_an_end() {
    let mut tasks = Tasks::<()>::new();
    tasks.run(async { panic!("on purpose") });
    let ended = tasks.next().await.unwrap();
    assert_eq!(ended.unwrap_err().to_string(), "it panicked: on purpose");
}
