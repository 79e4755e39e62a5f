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
    let url = std::env::var("REDIS_URL")
        .ok()
        .filter(|url| !url.is_empty());
    let url = url.unwrap_or_else(|| "redis://127.0.0.1:16379".to_owned());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.is_empty() {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        return match operator::run(&url, &arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("timed-release: {error:#}");
                ExitCode::from(2)
            }
        };
    }
    match scenario::run(&url).await {
        Ok(violations) if violations.is_empty() => {
            println!("No hold was lost, no table was released early.");
            ExitCode::SUCCESS
        }
        Ok(violations) => {
            for violation in violations {
                eprintln!("violation: {violation}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("timed-release: {error:#}");
            ExitCode::from(2)
        }
    }
}
