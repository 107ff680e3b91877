//! `suite BACKEND` lists the checks; `suite BACKEND ID` runs one, and prints its entry of the report as JSON.

use std::{env, process::ExitCode};

use hotcell_conformance::{BackendUnderTest, Suite};
use hotcell_js::Js;
use hotcell_wasmi::Wasmi;

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("wasmi"), wanted) => of::<Wasmi>(wanted.as_deref()),
        (Some("js"), wanted) => of::<Js>(wanted.as_deref()),
        _ => fail("the backends are wasmi and js"),
    }
}

fn of<B: BackendUnderTest>(wanted: Option<&str>) -> ExitCode {
    let suite = Suite::<B>::new();
    let Some(wanted) = wanted else {
        suite.checks().iter().for_each(|check| println!("{}", check.id()));
        return ExitCode::SUCCESS;
    };
    let Some(check) = suite.checks().iter().find(|check| check.id() == wanted) else {
        return fail("no check has this id");
    };
    let entry = serde_json::to_string(&suite.judge(check)).expect("an entry is plain data");
    println!("{entry}");
    ExitCode::SUCCESS
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}
