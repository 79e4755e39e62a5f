//! `usher`: runs AWS SAM applications on one's own machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    usher::cli::main()
}
