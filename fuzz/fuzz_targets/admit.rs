//! Admission gives any bytes a verdict, and gives it again.

#![no_main]

use hotcell_core::{Contract, Offered, Policy, admit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for policy in [Policy::strict(), Policy::default()] {
        let verdict = || {
            let admitted = admit(bytes, &policy, &Offered::default(), &Contract::None);
            admitted.map(|admitted| (admitted.bytes().to_vec(), admitted.summary().clone()))
        };
        let first = verdict();
        assert_eq!(first, verdict());
        if let Err(rejection) = first {
            // Its text is made of what the guest wrote.
            let _ = rejection.to_string();
        }
    }
});
