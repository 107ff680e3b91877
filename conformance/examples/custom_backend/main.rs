//! A backend of one's own, and what the suite says of it: `cargo run --release --example custom_backend [ID]...`
//!
//! `docs/writing-a-backend.md` walks through it.

#[expect(unreachable_pub, reason = "a crate of its own would export it")]
mod custom;

use std::{env, process::ExitCode};

use hotcell_conformance::Suite;

fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let is_wanted = |id: &str| wanted.is_empty() || wanted.iter().any(|wanted| id.starts_with(wanted));
    let report = Suite::<custom::Custom>::new().run(
        |check| is_wanted(check.id()),
        |entry| match entry.verdict.failure() {
            None => println!("{}: {}", entry.id, entry.verdict),
            Some(failure) => println!("{}: {}\n    {}\n    {failure}", entry.id, entry.verdict, entry.proves),
        },
    );
    println!("{} {}: {}", report.backend, report.backend_version, report.counts);
    if report.is_conforming() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
