//! Tables on hold: the delay queue shown on its own. See README.md beside this folder.

mod check;
mod clock;
mod evening;
mod floor;
mod operator;
mod waiter;

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
    match evening::run(&url).await {
        Ok(faults) if faults.is_empty() => {
            println!("Nothing was lost, nothing was early.");
            ExitCode::SUCCESS
        }
        Ok(faults) => {
            for fault in faults {
                eprintln!("broken: {fault}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("timed-release: {error:#}");
            ExitCode::from(2)
        }
    }
}
