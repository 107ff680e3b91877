//! Numbers by hand: a link of the chain is a constant and a product, 4 parts of work and 8 of a frame; of vectors 8 and 16.

use alloc::vec;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, EntityType, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    ImportSection, InstructionSink, MemArg, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};

use super::*;
use crate::{
    Policy,
    admit::{Repeated, repeated},
};

use BlockType::Empty;

/// Parameters: a number, a condition. Locals: two numbers and a vector.
const X: u32 = 0;
const IF: u32 = 1;
const Y: u32 = 2;
const Z: u32 = 3;
const V: u32 = 4;
/// Types of blocks: of a function without parameters, and of one that takes a number.
const NOTHING: u32 = 1;
const TAKES: u32 = 2;

type Code<'c, 'f> = &'c mut InstructionSink<'f>;

/// A module with this body.
fn module(write: impl FnOnce(Code<'_, '_>)) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I64, ValType::I32], []);
    types.ty().function([], []);
    types.ty().function([ValType::I64], []);
    let mut imports = ImportSection::new();
    imports.import("env", "nop", EntityType::Function(NOTHING));
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    let page = MemoryType { minimum: 1, maximum: Some(1), memory64: false, shared: false, page_size_log2: None };
    memories.memory(page);
    let mut globals = GlobalSection::new();
    for (val_type, value) in [(ValType::I64, ConstExpr::i64_const(0)), (ValType::V128, ConstExpr::v128_const(0))] {
        globals.global(GlobalType { val_type, mutable: true, shared: false }, &value);
    }
    let mut body = Function::new([(2, ValType::I64), (1, ValType::V128)]);
    let code = &mut body.instructions();
    write(code);
    code.end();
    let mut bodies = CodeSection::new();
    bodies.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
    module.section(&ExportSection::new()).section(&bodies);
    module.finish()
}

/// What costs more in a body: by the number of the operator, the units; and the parts of its frame.
fn extras(write: impl FnOnce(Code<'_, '_>)) -> (Vec<(usize, u32)>, u32) {
    let wasm = module(write);
    let Repeated { extras, kept } = repeated(&wasm, &Policy::default()).unwrap()[0].clone();
    let operators = Parser::new(0).parse_all(&wasm).find_map(|payload| match payload.unwrap() {
        Payload::CodeSectionEntry(body) => {
            let begin = body.range().start;
            let operators = body.get_operators_reader().unwrap().into_iter_with_offsets();
            Some(operators.map(|operator| operator.unwrap().1 - begin).collect::<Vec<_>>())
        }
        _ => None,
    });
    let operators = operators.unwrap();
    let number = |at: u32| operators.iter().position(|offset| *offset == at as usize).unwrap();
    (extras.into_iter().map(|(at, units)| (number(at), units)).collect(), kept)
}

/// A chain of 40 links in [`Y`]: operators 0 to 81, 160 parts of work or 10 units, 320 of a frame.
fn chain<'c, 'f>(code: Code<'c, 'f>) -> Code<'c, 'f> {
    code.local_get(X);
    for _ in 0..40 {
        code.i64_const(3).i64_mul();
    }
    code.local_set(Y)
}

const FRAME: u32 = 320;

#[test]
fn the_first_arm_is_paid_for_and_the_second_is_not() {
    let (extras, kept) = extras(|code| {
        chain(code).local_get(IF).if_(Empty).local_get(Y).global_set(0);
        code.else_().local_get(Y).global_set(0).end();
    });
    assert_eq!((extras, kept), (vec![(88, 10)], FRAME));
}

#[test]
fn each_arm_of_a_ladder_costs_its_chain() {
    let (extras, kept) = extras(|code| {
        chain(code);
        for _ in 0..4 {
            code.block(Empty).local_get(IF).br_if(0).local_get(Y).global_set(0).end();
        }
    });
    assert_eq!((extras, kept), (vec![(92, 10), (98, 10), (104, 10)], 3 * FRAME));
}

#[test]
fn each_arm_of_a_table_costs_its_chain() {
    let (extras, kept) = extras(|code| {
        chain(code).block(Empty).block(Empty).block(Empty).local_get(IF).br_table([0, 1], 2).end();
        code.local_get(Y).global_set(0).br(1).end().local_get(Y).global_set(0).end();
        code.local_get(Y).global_set(0);
    });
    // The last one is behind the join.
    assert_eq!((extras, kept), (vec![(93, 10), (96, 10)], 2 * FRAME));
}

#[test]
fn what_is_needed_before_the_arms_is_computed_there() {
    let (extras, kept) = extras(|code| {
        chain(code).local_get(Y).global_set(0);
        for _ in 0..3 {
            code.local_get(IF).if_(Empty).local_get(Y).global_set(0).end();
        }
    });
    assert_eq!((extras, kept), (vec![], 0));
    // A call needs its arguments, a branch its condition; `drop` needs nothing.
    let (extras, _) = self::extras(|code| {
        chain(code).local_get(Y).drop();
        code.local_get(IF).if_(Empty).local_get(Y).global_set(0).else_().local_get(Y).global_set(0).end();
    });
    assert_eq!(extras, [(90, 10)]);
}

#[test]
fn blocks_without_branches_are_the_same_place() {
    let (extras, kept) = extras(|code| {
        chain(code).block(Empty).block(Empty).local_get(Y).local_tee(Z).global_set(0).end().end();
        code.local_get(IF).if_(Empty).local_get(Z).global_set(0).else_().local_get(Y).global_set(0).end();
    });
    assert_eq!((extras, kept), (vec![], 0));
}

#[test]
fn a_place_holds_for_what_it_dominates() {
    // Behind an inner join the first arm's place still holds; behind its own it does not.
    let (extras, _) = extras(|code| {
        chain(code).local_get(IF).if_(Empty).local_get(Y).global_set(0);
        code.local_get(IF).if_(Empty).nop().end().local_get(Y).global_set(0).end();
        code.local_get(Y).global_set(0);
    });
    assert_eq!(extras, [(94, 10)]);
}

#[test]
fn in_a_loop_it_costs_each_round_and_in_front_of_it() {
    let (extras, _) = extras(|code| {
        chain(code).loop_(Empty).local_get(IF).if_(Empty).local_get(Y).global_set(0).br(1).end().end();
    });
    assert_eq!(extras, [(86, 10)]);
    // In front of the second loop it is computed a second time.
    let (extras, _) = self::extras(|code| {
        chain(code);
        for _ in 0..2 {
            code.loop_(Empty).local_get(IF).if_(Empty).local_get(Y).global_set(0).br(1).end().end();
        }
    });
    assert_eq!(extras, [(86, 10), (90, 10), (94, 10)]);
}

#[test]
fn branches_compute_what_joins_take_as_parameters() {
    // `Y` is zero at the end of the block, but for the branches in the arms.
    let (extras, kept) = extras(|code| {
        chain(code).block(Empty);
        for _ in 0..2 {
            code.local_get(IF).if_(Empty).br(1).end();
        }
        code.i64_const(0).local_set(Y).end();
    });
    assert_eq!((extras, kept), (vec![(85, 10), (89, 10)], 2 * FRAME));
    // Nothing else has the local there.
    let (extras, kept) = self::extras(|code| {
        chain(code).block(Empty);
        for _ in 0..2 {
            code.local_get(IF).if_(Empty).br(1).end();
        }
        code.end();
    });
    assert_eq!((extras, kept), (vec![], 0));
}

#[test]
fn an_arm_that_leaves_a_local_alone_takes_it_to_the_end() {
    let (extras, kept) = extras(|code| {
        for local in [Y, Z] {
            chain(code).local_get(Y).local_set(local);
        }
        code.local_get(IF).if_(Empty).nop().else_().i64_const(0).local_set(Z).end();
    });
    // The chain of `Z` is the one that is still in `Y`.
    let end_of_the_arm = 2 * 84 + 3;
    assert_eq!((extras, kept), (vec![(end_of_the_arm, 10)], FRAME));
}

#[test]
fn parameters_of_blocks_are_the_same_value() {
    let (extras, kept) = extras(|code| {
        chain(code).local_get(Y).local_get(IF).if_(BlockType::FunctionType(TAKES)).global_set(0);
        code.else_().global_set(0).end();
    });
    assert_eq!((extras, kept), (vec![(87, 10)], FRAME));
}

#[test]
fn a_local_that_is_set_to_itself_is_no_parameter() {
    let (extras, _) = extras(|code| {
        chain(code).local_get(Y).local_set(Z);
        code.local_get(IF).if_(Empty).i64_const(0).local_set(Z).local_get(Y).local_set(Z).end();
        code.local_get(IF).if_(Empty).local_get(Z).global_set(0).else_().local_get(Z).global_set(0).end();
    });
    // At the bypass and at the end of the first arm, because it may be one; and in the last arm.
    assert_eq!(extras.last(), Some(&(97, 10)));
    // A parameter is there, and what becomes it is computed where the chain stands.
    let (extras, _) = self::extras(|code| {
        chain(code).local_get(IF).if_(Empty).i64_const(0).local_set(Y).end();
        code.local_get(IF).if_(Empty).local_get(Y).global_set(0).else_().local_get(Y).global_set(0).end();
    });
    assert_eq!(extras, []);
}

#[test]
fn an_access_outside_of_the_memory_ends_code_for_the_compiler() {
    let outside = MemArg { offset: 1 << 20, align: 0, memory_index: 0 };
    let (extras, _) = extras(|code| {
        chain(code).local_get(IF).if_(Empty).i32_const(0).i64_load(outside).local_set(Y).end();
        code.local_get(IF).if_(Empty).local_get(Y).global_set(0).else_().local_get(Y).global_set(0).end();
    });
    assert_eq!(extras.last(), Some(&(94, 10)), "{extras:?}");
}

#[test]
fn division_by_a_constant_is_a_chain_and_by_a_parameter_is_not() {
    let divide = |code: Code<'_, '_>, by_constant: bool| {
        code.local_get(X);
        for _ in 0..40 {
            match by_constant {
                true => code.i64_const(7),
                false => code.local_get(X),
            };
            code.i64_div_u();
        }
        code.local_set(Y).local_get(IF).if_(Empty).local_get(Y).global_set(0).else_().local_get(Y).global_set(0).end();
    };
    // The compiler may also need all but the last of the results where they are divided, and again in the first arm.
    assert_eq!(extras(|code| divide(code, true)), (vec![(85, 9), (88, 10)], FRAME + FRAME - 8));
    assert_eq!(extras(|code| divide(code, false)), (vec![], 0));
}

#[test]
fn vectors_weigh_more() {
    let (extras, kept) = extras(|code| {
        code.local_get(V);
        for _ in 0..20 {
            code.v128_not();
        }
        code.local_set(V).local_get(IF).if_(Empty).local_get(V).global_set(1).else_().local_get(V).global_set(1).end();
    });
    assert_eq!((extras, kept), (vec![(28, 10)], 320));
}

#[test]
fn a_comparison_in_the_middle_computes_what_it_compares() {
    let compare = |constant: i64| {
        extras(|code| {
            chain(code).local_get(Y).i64_const(constant).i64_lt_u().drop();
            code.local_get(Y).i64_const(8).i64_add().i64_const(constant).i64_lt_u().if_(Empty).nop().end();
            code.local_get(IF).if_(Empty).local_get(Y).global_set(0).else_().local_get(Y).global_set(0).end();
        })
    };
    assert_eq!(compare(100), (vec![], 0));
    // The order against an extreme is known before, and so the operand is not needed.
    for known in [0, 1, -1, i64::MAX, i64::MIN] {
        assert_eq!(compare(known), (vec![(97, 10), (100, 10)], 2 * FRAME), "{known}");
    }
    // As that of one of two constants may be.
    let (extras, _) = extras(|code| {
        chain(code).i64_const(5).i64_const(6).local_get(Y).i64_eqz().select().local_set(Z);
        code.local_get(Z).i64_const(100).i64_lt_u().if_(Empty).nop().end();
        code.local_get(IF).if_(Empty).local_get(Z).global_set(0).else_().local_get(Z).global_set(0).end();
    });
    assert_eq!(extras.len(), 2, "{extras:?}");
}

#[test]
fn unreachable_code_costs_nothing() {
    let (extras, kept) = extras(|code| {
        chain(code).local_get(IF).if_(Empty).local_get(Y).global_set(0).end();
        code.local_get(IF).if_(Empty).unreachable().local_get(Y).global_set(0).end();
    });
    assert_eq!((extras, kept), (vec![], 0));
}

#[test]
fn a_shared_chain_is_not_free_twice() {
    // Two values with one operator each of their own.
    let (extras, _) = extras(|code| {
        chain(code);
        code.local_get(Y).i64_eqz().i64_extend_i32_u().local_set(Z).local_get(Y).i64_clz().local_set(Y);
        code.local_get(IF).if_(Empty).local_get(Y).global_set(0).else_().local_get(Z).global_set(0).end();
    });
    assert_eq!(extras.len(), 1);
    assert!(extras[0].1 >= 10, "{extras:?}");
}

#[test]
fn blocks_without_end_are_charged_for_everything() {
    const DEPTH: u32 = 4_000;
    let (extras, _) = extras(|code| {
        chain(code);
        for _ in 0..DEPTH {
            code.block(Empty);
        }
        for depth in 0..DEPTH {
            code.local_get(IF).br_if(depth).i64_const(0).local_set(Z);
        }
        for _ in 0..DEPTH {
            code.end();
        }
        code.local_get(IF).if_(Empty).local_get(X).global_set(0).end();
    });
    assert!(extras.last().is_some_and(|extra| extra.1 >= 500), "{:?}", extras.last());
}

/// Proposals that no policy allows are named by reading the body with them.
#[test]
fn blocks_that_no_policy_allows_are_read() {
    let wasm = module(|code| {
        chain(code).try_table(Empty, []).local_get(IF).if_(Empty).local_get(Y).global_set(0).end().end();
        code.block(Empty).local_get(IF).br_if(0).local_get(Y).global_set(0).end().return_();
    });
    let rejection = crate::admit(&wasm, &Policy::default(), &crate::Offered::default(), &crate::Contract::None);
    assert_eq!(rejection.unwrap_err().code(), "proposal-denied");
}
