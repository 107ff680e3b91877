//! The code whose price is measured: every kind of operator, and every shape that a guest could repeat.

mod compiled;

/// Code that a guest repeats.
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Fields of the module besides the function that repeats it.
    pub fields: String,
    /// Locals of that function, as types.
    pub locals: String,
    /// The repeated code. It leaves nothing on the stack.
    pub body: String,
    /// Number of repetitions in one iteration of the loop.
    pub times: usize,
}

impl Kind {
    fn new(name: impl Into<String>, fields: &str, locals: &str, body: impl Into<String>) -> Self {
        Self { name: name.into(), fields: fields.into(), locals: locals.into(), body: body.into(), times: 64 }
    }

    fn once(self) -> Self {
        Self { times: 1, ..self }
    }

    /// The module in the text format: `run` takes the number of iterations.
    pub fn module(&self) -> String {
        self.module_with(self.times)
    }

    /// The same with this many repetitions in an iteration.
    pub fn module_with(&self, times: usize) -> String {
        let body = self.body.repeat(times);
        format!(
            r#"(module {} (func (export "run") (param $rounds i32) (local $i i32) (local $l i64) (local $f f32) (local $d f64)
            {} loop $again {body}
            (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))) end))"#,
            self.fields, self.locals,
        )
    }
}

/// All kinds, in no particular order.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = numeric();
    kinds.extend(vectors());
    kinds.extend(control());
    kinds.push(many_locals());
    kinds.push(joins());
    kinds.extend(speculated());
    kinds.extend(compiled::copied());
    kinds.extend(compiled::subnormal());
    kinds.extend(calls());
    kinds.extend(memory());
    kinds.extend(tables());
    kinds
}

/// The local of type `ty` in [`Kind::module`].
fn local(ty: &str) -> &'static str {
    match ty {
        "i32" => "$i",
        "i64" => "$l",
        "f32" => "$f",
        "f64" => "$d",
        _ => "$v",
    }
}

fn numeric() -> Vec<Kind> {
    const INTEGER_UNARY: &str = "clz ctz popcnt extend8_s extend16_s";
    const INTEGER_BINARY: &str = "add sub mul and or xor shl shr_s shr_u rotl rotr";
    const DIVISION: &str = "div_s div_u rem_s rem_u";
    const FLOAT_UNARY: &str = "abs neg ceil floor trunc nearest sqrt";
    const FLOAT_BINARY: &str = "add sub mul div min max copysign";
    let mut kinds = Vec::new();
    let mut unary = |ty: &str, operators: &str| {
        for operator in operators.split(' ') {
            let at = local(ty);
            kinds.push(Kind::new(
                format!("{ty}.{operator}"),
                "",
                "",
                format!("local.get {at} {ty}.{operator} local.set {at} "),
            ));
        }
    };
    for ty in ["i32", "i64"] {
        unary(ty, INTEGER_UNARY);
    }
    for ty in ["f32", "f64"] {
        unary(ty, FLOAT_UNARY);
    }
    let mut binary = |ty: &str, operators: &str, second: &str| {
        for operator in operators.split(' ') {
            let at = local(ty);
            let body = format!("local.get {at} {ty}.const {second} {ty}.{operator} local.set {at} ");
            kinds.push(Kind::new(format!("{ty}.{operator}"), "", "", body));
        }
    };
    for ty in ["i32", "i64"] {
        binary(ty, INTEGER_BINARY, "77");
        binary(ty, DIVISION, "7");
    }
    for ty in ["f32", "f64"] {
        binary(ty, FLOAT_BINARY, "1.5");
    }
    for (from, operator, to) in [
        ("i32", "i64.extend_i32_s", "i64"),
        ("i64", "i32.wrap_i64", "i32"),
        ("f32", "f64.promote_f32", "f64"),
        ("f64", "f32.demote_f64", "f32"),
        ("i64", "f64.convert_i64_u", "f64"),
        ("i64", "f32.convert_i64_u", "f32"),
        ("f64", "i64.trunc_sat_f64_u", "i64"),
        ("f64", "i32.trunc_f64_s", "i32"),
        ("f32", "i64.trunc_sat_f32_s", "i64"),
        ("f64", "i64.reinterpret_f64", "i64"),
    ] {
        let body = format!("local.get {} {operator} local.set {} ", local(from), local(to));
        kinds.push(Kind::new(operator, "", "", body));
    }
    kinds.push(Kind::new(
        "i32.eqz, select",
        "",
        "",
        "local.get $i i32.const 5 local.get $i i32.eqz select local.set $i ",
    ));
    kinds.push(Kind::new("i64 compared", "", "", "local.get $l i64.const 9 i64.lt_s local.set $i "));
    kinds.push(Kind::new("f64 compared", "", "", "local.get $d f64.const 9 f64.lt local.set $i "));
    let wide = "local.get $l i64.const 3 local.get $l i64.const 5 i64.add128 local.set $l drop ";
    kinds.push(Kind::new("i64.add128", "", "", wide));
    let wide = "local.get $l i64.const 3 i64.mul_wide_u local.set $l drop ";
    kinds.push(Kind::new("i64.mul_wide_u", "", "", wide));
    kinds
}

fn vectors() -> Vec<Kind> {
    const UNARY: &str = "i8x16.popcnt i8x16.abs i16x8.extend_low_i8x16_s i32x4.extadd_pairwise_i16x8_s i64x2.neg f32x4.sqrt \
        f32x4.nearest f64x2.ceil i32x4.trunc_sat_f32x4_u i32x4.trunc_sat_f64x2_u_zero f64x2.promote_low_f32x4 \
        f32x4.convert_i32x4_u v128.not";
    const BINARY: &str = "i8x16.add i8x16.swizzle i16x8.mul i16x8.q15mulr_sat_s i32x4.dot_i16x8_s i64x2.mul i64x2.extmul_high_i32x4_u \
        i8x16.narrow_i16x8_u f32x4.div f32x4.min f32x4.pmax f64x2.mul i64x2.gt_s i8x16.avgr_u";
    let locals = "(local $v v128)";
    let mut kinds = Vec::new();
    for operator in UNARY.split_whitespace() {
        let body = format!("local.get $v {operator} local.set $v ");
        kinds.push(Kind::new(operator, "", locals, body));
    }
    for operator in BINARY.split_whitespace() {
        let body = format!("local.get $v v128.const i32x4 1 2 3 4 {operator} local.set $v ");
        kinds.push(Kind::new(operator, "", locals, body));
    }
    for (name, body) in [
        ("i8x16.shl", "local.get $v local.get $i i8x16.shl local.set $v "),
        ("i64x2.shr_s", "local.get $v local.get $i i64x2.shr_s local.set $v "),
        ("i8x16.splat", "local.get $i i8x16.splat local.set $v "),
        (
            "i8x16.shuffle",
            "local.get $v local.get $v i8x16.shuffle 15 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31 local.set $v ",
        ),
        ("i8x16.bitmask", "local.get $v i8x16.bitmask local.set $i "),
        ("i8x16.extract_lane_s", "local.get $v i8x16.extract_lane_s 3 local.set $i "),
        ("i64x2.replace_lane", "local.get $v local.get $l i64x2.replace_lane 1 local.set $v "),
        ("v128.bitselect", "local.get $v local.get $v local.get $v v128.bitselect local.set $v "),
        ("v128.any_true", "local.get $v v128.any_true local.set $i "),
    ] {
        kinds.push(Kind::new(name, "", locals, body));
    }
    for (name, body) in [
        ("v128.load", "i32.const 8 v128.load local.set $v "),
        ("v128.store", "i32.const 8 local.get $v v128.store "),
        ("v128.load8x8_s", "i32.const 8 v128.load8x8_s local.set $v "),
        ("v128.load32_lane", "i32.const 8 local.get $v v128.load32_lane 2 local.set $v "),
        ("v128.load64_splat", "i32.const 8 v128.load64_splat local.set $v "),
    ] {
        kinds.push(Kind::new(name, "(memory 1)", locals, body));
    }
    kinds
}

fn control() -> Vec<Kind> {
    let table = |targets: usize| {
        let mut body = "block block block block local.get $i i32.const 7 i32.and br_table".to_owned();
        for target in 0..targets {
            body += &format!(" {}", target % 4);
        }
        body + " 3 end end end end local.get $i i32.const 1 i32.add local.set $i "
    };
    let mut kinds = vec![
        Kind::new("nop", "", "", "nop local.get $i drop "),
        Kind::new("block", "", "", "block end local.get $i drop "),
        Kind::new("loop", "", "", "loop end "),
        Kind::new("loop with parameters", "", "", "local.get $l local.get $l loop (param i64 i64) drop drop end "),
        Kind::new("loops in loops", "", "", format!("{}{}", "loop ".repeat(30), "end ".repeat(30))),
        Kind::new("br", "", "", "block br 0 end "),
        Kind::new(
            "br with values",
            "",
            "",
            "block (result i64 i64 i64) local.get $l local.get $l local.get $l br 0 end drop drop drop ",
        ),
        Kind::new("br_if, taken", "", "", "block i32.const 1 local.get $i i32.or br_if 0 end "),
        Kind::new("br_if, not taken", "", "", "block local.get $i i32.const 0 i32.and br_if 0 end "),
        Kind::new(
            "br_if, in turns",
            "",
            "",
            "block local.get $i i32.const 1 i32.add local.tee $i i32.const 1 i32.and br_if 0 end ",
        ),
        Kind::new("if, else", "", "", "local.get $i if local.get $l drop else local.get $d drop end "),
        Kind::new("br_table, 4 targets", "", "", table(4)),
        Kind::new("br_table, 60 targets", "", "", table(60)),
        Kind::new("local.get, local.set", "", "", "local.get $l local.set $l "),
        Kind::new("local.tee", "", "", "local.get $l local.tee $l drop "),
        Kind::new("global.get, global.set", "(global $g (mut i64) (i64.const 0))", "", "global.get $g global.set $g "),
    ];
    let unpredictable = "block local.get $i i32.const 1103515245 i32.mul i32.const 12345 i32.add local.tee $i \
        i32.const 65536 i32.and br_if 0 end ";
    kinds.push(Kind::new("br_if, at random", "", "", unpredictable));
    let unpredictable = "block block block block local.get $i i32.const 1103515245 i32.mul i32.const 12345 i32.add local.tee $i \
        i32.const 16 i32.shr_u i32.const 3 i32.and br_table 0 1 2 3 end end end end ";
    kinds.push(Kind::new("br_table, at random", "", "", unpredictable));
    kinds
}

/// A branch that is never taken, around which every local changes its location.
fn many_locals() -> Kind {
    const LOCALS: usize = 1_900;
    let get = |local: usize| format!("local.get {} ", local + 5);
    let set = |local: usize| format!("local.set {} ", local + 5);
    let gets: String = (0..LOCALS).map(get).collect();
    let sets: String = (0..LOCALS).map(set).collect();
    let body = format!("local.get $rounds i32.eqz if {gets} {sets} end ");
    Kind::new("if, among 1,900 locals", "(memory 1)", &loaded(LOCALS), body).once()
}

/// Blocks whose ends are reached by falling through, and by branches with every local in another location.
fn joins() -> Kind {
    const LOCALS: usize = 250;
    const JOINS: usize = 5;
    let mut body = "block ".repeat(JOINS) + "block " + &"block ".repeat(JOINS);
    body += &format!("local.get $rounds i32.const -1 i32.xor br_table {JOINS}");
    (0..JOINS).for_each(|join| body += &format!(" {join}"));
    body += &format!(" {JOINS} ");
    for join in 0..JOINS {
        body += "end ";
        (0..LOCALS).for_each(|local| body += &format!("local.get {} ", (local + join + 1) % LOCALS + 5));
        (0..LOCALS).rev().for_each(|local| body += &format!("local.set {} ", local + 5));
        // Branches out of the following blocks, and of the one that the fall-through path leaves.
        body += &format!("br {} ", JOINS - 1 - join + 1 + join);
    }
    body += "end ";
    body += &"end ".repeat(JOINS);
    Kind::new("joins of 250 locals", "(memory 1)", &loaded(LOCALS), body).once()
}

/// Locals, loaded from memory: a compiler does not know their values.
fn loaded(locals: usize) -> String {
    let load = |local: usize| format!("i32.const 0 i64.load offset={} local.set {} ", local * 8, local + 5);
    format!("(local {}) {}", "i64 ".repeat(locals), (0..locals).map(load).collect::<String>())
}

/// Operators in an arm that is never taken, in a loop that is entered repeatedly: a compiler hoists them out of the
/// loop.
fn speculated() -> Vec<Kind> {
    const OPERATORS: usize = 2_000;
    let kind = |operator: &str, ty: &str, operators: String| {
        let (at, global) = (
            local(ty),
            format!("(global $g (mut {ty}) ({ty}.const {}))", if ty == "v128" { "i64x2 0 0" } else { "0" }),
        );
        let change = match ty {
            "i64" => "local.get $l i64.const 1 i64.add local.set $l ",
            "f64" => "local.get $d f64.const 1 f64.add local.set $d ",
            _ => "local.get $v i64x2.neg local.set $v ",
        };
        let locals = if ty == "v128" { "(local $v v128)" } else { "" };
        let body = format!(
            "{change} loop $in local.get $rounds i32.eqz if local.get {at} {} global.set $g br $in end end ",
            operators.repeat(OPERATORS)
        );
        Kind::new(format!("{operator} behind a branch in a loop, not reached"), &global, locals, body).once()
    };
    vec![
        kind("i64.mul", "i64", "local.get $l i64.mul ".to_owned()),
        kind("i64.popcnt", "i64", "i64.popcnt local.get $l i64.xor ".to_owned()),
        kind("f64.sqrt", "f64", "f64.sqrt local.get $d f64.add ".to_owned()),
        kind("f64.div", "f64", "local.get $d f64.div ".to_owned()),
        kind("f64x2.sqrt", "v128", "f64x2.sqrt local.get $v f64x2.add ".to_owned()),
        kind("i8x16.popcnt", "v128", "i8x16.popcnt local.get $v v128.xor ".to_owned()),
        kind("i64x2.mul", "v128", "local.get $v i64x2.mul ".to_owned()),
    ]
}

fn calls() -> Vec<Kind> {
    let params = |ty: &str, count: usize| format!("{ty} ").repeat(count);
    let mut kinds = vec![
        Kind::new("call", "(func $leaf)", "", "call $leaf "),
        Kind::new(
            "call with a result",
            "(func $leaf (param i64) (result i64) local.get 0)",
            "",
            "local.get $l call $leaf local.set $l ",
        ),
        Kind::new("call of an exported function", "(func $leaf (export \"leaf\"))", "", "call $leaf "),
        Kind::new(
            "call_indirect",
            "(table 1 1 funcref) (elem (i32.const 0) $leaf) (func $leaf)",
            "",
            "i32.const 0 call_indirect ",
        ),
        Kind::new(
            "call_indirect and by name",
            "(table 1 1 funcref) (elem (i32.const 0) $leaf) (func $leaf) (func (export \"x\") call $leaf)",
            "",
            "i32.const 0 call_indirect ",
        ),
        Kind::new("host function", "(import \"env\" \"nop\" (func $nop))", "", "call $nop "),
        Kind::new(
            "host function through a table",
            "(import \"env\" \"nop\" (func $nop)) (table 1 1 funcref) (elem (i32.const 0) $nop)",
            "",
            "i32.const 0 call_indirect ",
        ),
        Kind::new("return_call", "(func $leaf) (func $way return_call $leaf)", "", "call $way "),
    ];
    for ty in ["i64", "f64", "v128"] {
        let zero = if ty == "v128" { "v128.const i64x2 0 0 ".to_owned() } else { format!("{ty}.const 0 ") };
        let fields = format!("(func $leaf (param {}))", params(ty, 64));
        let body = format!("{}call $leaf ", zero.repeat(64));
        kinds.push(Kind { times: 4, ..Kind::new(format!("call with 64 parameters, {ty}"), &fields, "", body) });
        let fields = format!("(func $leaf (param i32) (local {}))", params(ty, 1_900));
        let what = format!("call of a function with 1,900 locals, {ty}");
        kinds.push(Kind { times: 4, ..Kind::new(what, &fields, "", "i32.const 0 call $leaf ") });
    }
    // The function's own work is skipped, but its frame and constants are set up.
    let skipped = |work: &str| format!("(func $leaf (param i32) block local.get 0 i32.eqz br_if 0 {work} end)");
    let constants: String = (0..500)
        .map(|call| {
            let list: String = (0..16).map(|k| format!("i64.const {} ", 0x70_0000_0000_i64 + call * 16 + k)).collect();
            format!("{list} call $sink ")
        })
        .collect();
    let fields = format!("(func $sink (param {})) {}", params("i64", 16), skipped(&constants));
    kinds.push(Kind {
        times: 4,
        ..Kind::new("call of a function with 8,000 constants", &fields, "", "i32.const 0 call $leaf ")
    });
    let computed = format!(
        "(func $leaf (param i32) (local i64) block local.get 0 i32.eqz br_if 0 i64.const 3 {} drop end)",
        "i64.const 6364136223846793005 i64.mul local.tee 1 ".repeat(8_000)
    );
    let what = "call of a function with 8,000 computed constants";
    kinds.push(Kind { times: 4, ..Kind::new(what, &computed, "", "i32.const 0 call $leaf ") });
    let deep = format!(
        "(func $leaf (param i32) block local.get 0 i32.eqz br_if 0 {} {} end)",
        "local.get 0 ".repeat(3_000),
        "drop ".repeat(3_000)
    );
    kinds.push(Kind {
        times: 4,
        ..Kind::new("call of a function with 3,000 operands", &deep, "", "i32.const 0 call $leaf ")
    });
    kinds
}

fn memory() -> Vec<Kind> {
    let one = "(memory 1)";
    let mut kinds = Vec::new();
    for operator in ["i32.load", "i64.load", "i32.load8_s", "i64.load32_u", "f32.load", "f64.load"] {
        kinds.push(Kind::new(
            operator,
            one,
            "",
            format!("i32.const 8 {operator} drop local.get $i i32.load offset=16 local.set $i "),
        ));
    }
    for (operator, at) in [("i32.store", "$i"), ("i64.store", "$l"), ("i64.store8", "$l"), ("f64.store", "$d")] {
        kinds.push(Kind::new(operator, one, "", format!("i32.const 8 local.get {at} {operator} ")));
    }
    let far = "local.get $i i32.const 1103515245 i32.mul i32.const 12345 i32.add local.tee $i i32.const 0x1ffffc0 i32.and i32.load drop ";
    kinds.push(Kind::new("i32.load, 32 MiB at random", "(memory 512)", "", far));
    // As many pages as there are in one iteration.
    let touch = "local.get $i i32.const 4096 i32.add local.tee $i i32.const 1 i32.store ";
    kinds.push(Kind { times: 4_000, ..Kind::new("i32.store, a page for the first time", "(memory 256)", "", touch) });
    kinds.push(Kind::new("memory.size", one, "", "memory.size local.set $i "));
    kinds.push(Kind::new("memory.grow by nothing", one, "", "i32.const 0 memory.grow drop "));
    kinds.push(Kind::new("memory.grow, past its maximum", "(memory 1 2)", "", "i32.const 9 memory.grow drop "));
    kinds.push(Kind::new("memory.grow, refused", one, "", "i32.const 60000 memory.grow drop "));
    for bytes in [0, 15, 64, 4_096, 65_536] {
        let times = if bytes > 1_000 { 4 } else { 64 };
        let kind = |name: &str, body: String| Kind {
            times,
            ..Kind::new(
                format!("{name} of {bytes} bytes"),
                "(memory 2) (data $d \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\")",
                "",
                body,
            )
        };
        kinds.push(kind("memory.fill", format!("i32.const 8 i32.const 7 i32.const {bytes} memory.fill ")));
        kinds.push(kind("memory.copy", format!("i32.const 8 i32.const 9 i32.const {bytes} memory.copy ")));
        if bytes <= 64 {
            kinds.push(kind("memory.init", format!("i32.const 8 i32.const 0 i32.const {bytes} memory.init $d ")));
        }
    }
    kinds.push(
        Kind::new(
            "memory.fill of 16 MiB",
            "(memory 256)",
            "",
            "i32.const 0 i32.const 7 i32.const 16777216 memory.fill ",
        )
        .once(),
    );
    kinds.push(
        Kind::new(
            "memory.copy of 16 MiB",
            "(memory 512)",
            "",
            "i32.const 0 i32.const 16000000 i32.const 16777216 memory.copy ",
        )
        .once(),
    );
    kinds.push(Kind::new("data.drop", "(memory 1) (data $d \"0\")", "", "data.drop $d "));
    kinds
}

fn tables() -> Vec<Kind> {
    let one =
        "(table $t 100 100 funcref) (elem declare func $leaf) (func $leaf) (elem $e func $leaf $leaf $leaf $leaf)";
    let growing = "(table $t 100 funcref) (table $m 1 2 funcref)";
    let large = "(table $t 200000 funcref)";
    let mut kinds = vec![
        Kind::new("ref.func", one, "(local $r funcref)", "ref.func $leaf local.set $r "),
        Kind::new("ref.null, ref.is_null", one, "", "ref.null func ref.is_null local.set $i "),
        Kind::new("table.get", one, "(local $r funcref)", "i32.const 3 table.get $t local.set $r "),
        Kind::new("table.set", one, "(local $r funcref)", "i32.const 3 local.get $r table.set $t "),
        Kind::new(
            "ref.func, table.set, table.get",
            one,
            "(local $r funcref)",
            "i32.const 3 ref.func $leaf table.set $t i32.const 3 table.get $t local.set $r ",
        ),
        Kind::new("table.size", one, "", "table.size $t local.set $i "),
        Kind::new("table.grow by nothing", growing, "", "ref.null func i32.const 0 table.grow $t drop "),
        Kind::new("table.grow, past its maximum", growing, "", "ref.null func i32.const 9 table.grow $m drop "),
        Kind::new("table.grow, refused", growing, "", "ref.null func i32.const 100000000 table.grow $t drop "),
        Kind::new("table.init of nothing", one, "", "i32.const 0 i32.const 0 i32.const 0 table.init $t $e "),
        Kind::new("table.init of 4", one, "", "i32.const 0 i32.const 0 i32.const 4 table.init $t $e "),
        Kind::new("elem.drop", one, "", "elem.drop $e "),
        Kind::new("table.fill with a function", one, "", "i32.const 0 ref.func $leaf i32.const 90 table.fill $t "),
    ];
    for count in [0, 1, 90] {
        kinds.push(Kind::new(
            format!("table.fill of {count}"),
            one,
            "",
            format!("i32.const 0 ref.null func i32.const {count} table.fill $t "),
        ));
        kinds.push(Kind::new(
            format!("table.copy of {count}"),
            one,
            "",
            format!("i32.const 0 i32.const 1 i32.const {count} table.copy $t $t "),
        ));
    }
    kinds.push(
        Kind::new("table.fill of 200,000", large, "", "i32.const 0 ref.null func i32.const 200000 table.fill $t ")
            .once(),
    );
    kinds.push(
        Kind::new("table.copy of 199,000", large, "", "i32.const 0 i32.const 1 i32.const 199000 table.copy $t $t ")
            .once(),
    );
    kinds
}
