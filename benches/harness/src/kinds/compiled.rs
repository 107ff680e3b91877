//! Kinds that are dear for what a compiler makes of them, or for their operands.

use super::{Kind, local};

/// A chain of operators whose end is used in many arms: a compiler computes it anew in each of them.
pub(super) fn copied() -> Vec<Kind> {
    const OPERATORS: usize = 1_000;
    const ARMS: usize = 300;
    let kind = |name: &str, ty: &str, operator: &str, arm: &str| {
        let at = local(ty);
        let field = format!("(global $g (mut {ty}) ({ty}.const 0))");
        // A round changes the beginning of the chain, and a second local keeps its end.
        let locals = format!("(local $y {ty}) ");
        let body = format!(
            "local.get {at} {ty}.const 1 {ty}.add local.tee {at} {} local.set $y {}",
            operator.repeat(OPERATORS),
            arm.repeat(ARMS)
        );
        Kind::new(format!("a chain of 1,000, {name}, used in 300 arms"), &field, &locals, body).once()
    };
    let used = "local.get $y global.set $g";
    let down = "local.get $i i32.const 1 i32.sub local.set $i";
    let in_if = format!("local.get $rounds if {used} end ");
    let behind_branch = format!("block local.get $rounds i32.eqz br_if 0 {used} end ");
    let in_loop = format!("block loop local.get $rounds i32.eqz if {used} br 1 end br 1 end end ");
    let in_rounds = format!("i32.const 9 local.set $i loop local.get $i if {used} {down} br 1 end end ");
    // The value is used as what a block is left with.
    let carried = "local.get $y local.set $z local.get $rounds if else i64.const 0 local.set $z end ";
    vec![
        kind("f64", "f64", "f64.sqrt local.get $d f64.div ", &in_if),
        kind("f64, behind br_if", "f64", "f64.sqrt local.get $d f64.div ", &behind_branch),
        kind("i64", "i64", "local.get $l i64.mul ", &in_if),
        kind("i64, behind br_if", "i64", "local.get $l i64.mul ", &behind_branch),
        kind("i64, in loops", "i64", "local.get $l i64.mul ", &in_loop),
        {
            let mut kind = kind("i64, as a local at joins", "i64", "local.get $l i64.mul ", carried);
            kind.locals += "(local $z i64) ";
            kind.body += "local.get $z global.set $g ";
            kind
        },
        kind("f64, in rounds of a loop", "f64", "f64.sqrt local.get $d f64.div ", &in_rounds),
    ]
}

/// Operators on numbers so small that a processor takes many times as long for them.
pub(super) fn subnormal() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |name: &str, ty: &str, tiny: &str, operand: &str, operators: &str| {
        let (local, prefix) = match ty {
            "f32x4" | "f64x2" => ("v128", format!("v128.const {ty}")),
            _ => (ty, format!("{ty}.const")),
        };
        let memory = if local == "v128" { "v128" } else { ty };
        // By way of the memory: a compiler does not know the numbers.
        let locals = format!(
            "(local $x {local}) (local $h {local}) i32.const 0 {prefix} {tiny} {memory}.store \
            i32.const 16 {prefix} {operand} {memory}.store i32.const 16 {memory}.load local.set $h "
        );
        let body = format!(
            "i32.const 0 {memory}.load {} local.set $x i32.const 32 local.get $x {memory}.store ",
            operators.repeat(8)
        );
        let name = format!("{ty}.{name} of subnormal numbers");
        kinds.push(Kind { times: 16, ..Kind::new(name, "(memory 1)", &locals, body) });
    };
    for (ty, tiny, root, one) in [
        ("f32", "3e-40", "1e-20", "1"),
        ("f64", "3e-310", "1e-155", "1"),
        ("f32x4", "3e-40 3e-40 2e-40 1e-40", "1e-20 1e-20 1e-20 1e-20", "1 1 1 1"),
        ("f64x2", "3e-310 1e-310", "1e-155 1e-155", "1 1"),
    ] {
        add("div", ty, tiny, one, &format!("local.get $h {ty}.div "));
        add("sqrt and mul", ty, tiny, root, &format!("{ty}.sqrt local.get $h {ty}.mul "));
        add("mul", ty, tiny, one, &format!("local.get $h {ty}.mul "));
        add("add", ty, tiny, tiny, &format!("local.get $h {ty}.add "));
    }
    kinds
}
