//! Parse the arguments, run the command, choose the exit code.

use std::panic;
use std::process::ExitCode;

use standpipe::cli::{self, Exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything may want TLS: there is one provider in this process, and reqwest panics
    // without it.
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.expect("nobody was here before us");
    // A panic has printed itself by then; all that is left is to own up.
    panic::catch_unwind(cli::main).unwrap_or(Exit::Bug).into()
}
