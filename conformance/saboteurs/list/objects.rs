//! Objects that do not belong together, and statements that are not so.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "compiles what another policy admitted",
        "objects.policy",
        &[lie("mod.rs", "check_same(\"policy\", admitted.policy(), self.policy)?", "()")],
    ),
    Saboteur::new(
        "links imports that the module was not admitted with",
        "objects.imports",
        &[lie("mod.rs", "check_same(\"imports\", module.offered, imports.offered.fingerprint())?", "()")],
    ),
    Saboteur::new(
        "makes instances of another sandbox's modules",
        "objects.engine",
        &[lie("mod.rs", "check_same(\"policy\", linked.policy, self.policy)", "Ok(())")],
    ),
];
