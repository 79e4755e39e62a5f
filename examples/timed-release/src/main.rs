//! Tables on hold: an example of the delay queue. See README.md.

mod clock;
mod handler;
mod operator;
mod scenario;
mod tables;
mod verify;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let url = match std::env::var("REDIS_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => "redis://127.0.0.1:16379".to_owned(),
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = if arguments.is_empty() {
        scenario::run(&url).await
    } else {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        operator::run(&url, &arguments).await
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("timed-release: {error:#}");
            ExitCode::from(2)
        }
    }
}
