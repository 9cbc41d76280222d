//! The `hotpit` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotpit::cli::main()
}
