//! Text from a policy file or the command line is quoted briefly, and moves no cursor.

use hotcell::{Policy, Proposal, SandboxOptions, parse_policy, sandbox};
use hotcell_conformance::messages::{LONGEST, evil, harm};

#[test]
fn policies_and_names_are_quoted_harmlessly() {
    let mut messages = Vec::new();
    for name in [evil(0), evil(200), evil(900), evil(100_000)] {
        for text in [
            name.clone(),
            format!("preset = {name:?}"),
            format!("[{name:?}]\na = 1"),
            format!("proposals = [{name:?}]"),
        ] {
            messages.push(parse_policy(&text).unwrap_err().to_string());
        }
        messages.push(sandbox(&name, Policy::default(), &SandboxOptions::default()).err().unwrap().to_string());
    }
    let unlimited = Policy::default().with(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, None));
    messages.push(unlimited.unwrap_err().to_string());
    let memory64 = Policy::default().with(|rules| rules.proposals.allow(Proposal::Memory64)).unwrap();
    messages.push(sandbox("wasmi", memory64, &SandboxOptions::default()).err().unwrap().to_string());
    for message in messages {
        assert!(message.len() <= LONGEST, "{} bytes", message.len());
        // A policy file's error quotes it in lines.
        assert_eq!(message.lines().find_map(harm), None);
    }
}
