//! The operators that the rewrite inserts.

use alloc::vec::Vec;

use wasm_encoder::{BlockType, InstructionSink};

use super::{
    block_types::BlockTypes,
    bulk::Pieces,
    context::Context,
    cost::BULK_SHIFT,
    linkage::Callee,
    temporaries::Temporaries,
    walk::{Access, Width},
};
use crate::value;

/// Upper bound of the table elements that one operator is charged for: no policy allows a larger table, and the counter
/// cannot overflow.
const MOST_ELEMENTS: i64 = 1 << 40;

/// More bytes or elements than any policy allows.
const NO_LENGTH: i64 = 1 << 50;

/// Indices of the two counters, of the refill function, which is called when one of them is below zero, and of the
/// functions by which bodies do so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    pub(super) fuel: u32,
    pub(super) stack: u32,
    pub(super) refill: u32,
    pub(super) ask: u32,
    pub(super) ask_at_entry: u32,
}

/// Appends the rewrite's operators to the copied ones.
pub(super) struct Emitter<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) context: &'a Context<'a>,
    pub(super) locals: &'a mut Temporaries,
    pub(super) block_types: &'a mut BlockTypes,
    /// Offsets in `out` of branches that are seldom taken.
    pub(super) unlikely: Vec<usize>,
}

impl Emitter<'_> {
    pub(super) fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(self.out)
    }

    /// Charges fuel and stack at function entry, and checks both.
    pub(super) fn enter(&mut self, fuel: i64, cells: i64, takes_stack: bool) {
        let (f, s) = (self.locals.fuel(), self.locals.stack());
        let (fuel_global, stack_global) = (self.context.counters.fuel, self.context.counters.stack);
        self.sink().global_get(fuel_global).i64_const(fuel).i64_sub().local_tee(f);
        match takes_stack {
            true => self.sink().local_get(s),
            false => self.sink().global_get(stack_global),
        };
        self.sink().i64_const(cells).i64_sub().local_tee(s).i64_or().i64_const(0).i64_lt_s();
        self.unlikely_if();
        let ask = self.context.counters.ask_at_entry;
        self.sink().local_get(f).local_get(s).call(ask).local_set(f).end();
    }

    /// Charges fuel for a run that begins.
    pub(super) fn charge(&mut self, fuel: i64) {
        let f = self.locals.fuel();
        if fuel != 0 {
            self.sink().local_get(f).i64_const(fuel).i64_sub().local_set(f);
        }
    }

    /// Charges fuel and checks it; `ahead` of it is for later runs and does not count yet.
    pub(super) fn charge_and_check(&mut self, fuel: i64, ahead: i64) {
        let f = self.locals.fuel();
        if fuel != 0 {
            self.sink().local_get(f).i64_const(fuel).i64_sub().local_tee(f);
        } else {
            self.sink().local_get(f);
        }
        self.sink().i64_const(-ahead).i64_lt_s();
        self.refill_if(ahead);
    }

    /// Calls the host for fuel when the value on the stack, the remaining fuel, is below zero.
    fn refill_if_negative(&mut self) {
        self.sink().i64_const(0).i64_lt_s();
        self.refill_if(0);
    }

    /// Calls the host for fuel when the condition on the stack holds.
    fn refill_if(&mut self, ahead: i64) {
        self.unlikely_if();
        self.refill(ahead);
        self.sink().end();
    }

    /// Calls the host for fuel. Passes the remaining fuel in the global of the stack counter, which is not read before
    /// it is set again, and takes the new value from there: an argument and a result in registers would slow down the
    /// surrounding loop.
    fn refill(&mut self, ahead: i64) {
        let f = self.locals.fuel();
        let Counters { stack: exchange, ask, .. } = self.context.counters;
        self.sink().local_get(f);
        if ahead != 0 {
            self.sink().i64_const(ahead).i64_add();
        }
        self.sink().global_set(exchange).call(ask).global_get(exchange);
        if ahead != 0 {
            self.sink().i64_const(ahead).i64_sub();
        }
        self.sink().local_set(f);
    }

    /// Begins a block that is seldom executed.
    fn unlikely_if(&mut self) {
        self.unlikely_if_typed(BlockType::Empty);
    }

    fn unlikely_if_typed(&mut self, ty: BlockType) {
        self.unlikely.push(self.out.len());
        self.sink().if_(ty);
    }

    /// Saves the counters to their globals for a callee.
    pub(super) fn save(&mut self) {
        let (f, s) = (self.locals.fuel(), self.locals.stack());
        let (fuel_global, stack_global) = (self.context.counters.fuel, self.context.counters.stack);
        self.sink().local_get(f).global_set(fuel_global).local_get(s).global_set(stack_global);
    }

    /// Calls a function of the module.
    pub(super) fn call(&mut self, callee: Callee) {
        if !callee.takes_stack {
            if self.context.counts {
                self.save();
            }
            self.sink().call(callee.index);
            return;
        }
        let (f, s) = (self.locals.fuel(), self.locals.stack());
        let fuel_global = self.context.counters.fuel;
        self.sink().local_get(f).global_set(fuel_global).local_get(s).call(callee.index);
    }

    /// Calls a function of the module in place of this frame of `cells`.
    pub(super) fn tail_call(&mut self, callee: Callee, cells: i64) {
        if !callee.takes_stack {
            if self.context.counts {
                self.save_without_frame(cells);
            }
            self.sink().return_call(callee.index);
            return;
        }
        let (f, s) = (self.locals.fuel(), self.locals.stack());
        let fuel_global = self.context.counters.fuel;
        self.sink().local_get(f).global_set(fuel_global).local_get(s).i64_const(cells).i64_add();
        self.sink().return_call(callee.index);
    }

    /// `ref.func` of a function of the module.
    pub(super) fn reference(&mut self, function: u32) {
        self.sink().ref_func(function);
    }

    /// A branch, or a `return` as one.
    pub(super) fn branch(&mut self, depth: u32) {
        self.sink().br(depth);
    }

    /// Closes a block.
    pub(super) fn end(&mut self) {
        self.sink().end();
    }

    /// An operator on a local.
    pub(super) fn access(&mut self, access: Access, local: u32) {
        match access {
            Access::Get => self.sink().local_get(local),
            Access::Set => self.sink().local_set(local),
            Access::Tee => self.sink().local_tee(local),
        };
    }

    /// Saves the counters without this frame of `cells`: for a callee that replaces it, or for the host.
    pub(super) fn save_without_frame(&mut self, cells: i64) {
        let (f, s) = (self.locals.fuel(), self.locals.stack());
        let (fuel_global, stack_global) = (self.context.counters.fuel, self.context.counters.stack);
        self.sink()
            .local_get(f)
            .global_set(fuel_global)
            .local_get(s)
            .i64_const(cells)
            .i64_add()
            .global_set(stack_global);
    }

    /// Loads the fuel counter after a call, and charges the run that begins.
    pub(super) fn resume(&mut self, fuel: i64) {
        let (f, fuel_global) = (self.locals.fuel(), self.context.counters.fuel);
        self.sink().global_get(fuel_global);
        if fuel != 0 {
            self.sink().i64_const(fuel).i64_sub();
        }
        self.sink().local_set(f);
    }

    /// Saves the fuel counter for the caller.
    ///
    /// If the function is exported, the caller may be the host: `cells` are then given back for its next call, and the
    /// last run is checked here. For a caller in the guest, its own next check covers it.
    pub(super) fn leave(&mut self, exported_cells: Option<i64>) {
        match exported_cells {
            None => {
                let (f, fuel_global) = (self.locals.fuel(), self.context.counters.fuel);
                self.sink().local_get(f).global_set(fuel_global);
            }
            Some(cells) => {
                self.charge_and_check(0, 0);
                self.save_without_frame(cells);
            }
        }
    }

    /// Charges a bulk operator whose operands are on the stack and stay there. Runs a long one in pieces.
    pub(super) fn charge_pieces(&mut self, pieces: &Pieces) {
        let width = pieces.count();
        let count = self.charge_count(width, pieces.counts_bytes());
        let below = pieces.below();
        let block = self.block_types.of(&below, &below);
        self.unlikely_if_typed(block);
        let [to, second] = [self.locals.to(below[0]), self.locals.second(below[1])];
        let (f, exchange) = (self.locals.fuel(), self.context.counters.stack);
        self.sink().local_set(second).local_set(to).local_get(f).global_set(exchange);
        self.sink().local_get(to).local_get(second).local_get(count).call(pieces.function).local_set(count);
        self.sink().global_get(exchange).local_set(f).local_get(to).local_get(second).end();
        self.sink().local_get(count);
    }

    /// Charges `memory.init` or `table.init` likewise. A segment is no longer than the module, so it is not split. An
    /// operator that is out of bounds costs nothing, and traps.
    pub(super) fn charge_init(&mut self, target: Target) {
        let is_bytes = matches!(target, Target::Memory(_));
        let count = self.charge_count(Width::Bits32, is_bytes);
        let width = match target {
            Target::Memory(memory) => self.context.memory(memory),
            Target::Table(table) => self.context.table(table),
        };
        let below = [width.value_type(), value::ValType::I32];
        let block = self.block_types.of(&below, &below);
        self.unlikely_if_typed(block);
        let [to, second] = [self.locals.to(below[0]), self.locals.second(below[1])];
        let (f, size) = (self.locals.fuel(), self.locals.result64());
        self.sink().local_set(second).local_set(to);
        match target {
            Target::Memory(memory) => {
                let shift = self.context.page_size_log2(memory);
                self.sink().memory_size(memory);
                self.extend(width);
                self.sink().i64_const(shift.into()).i64_shl();
            }
            Target::Table(table) => {
                self.sink().table_size(table);
                self.extend(width);
            }
        }
        // count > size, or to > size - count
        self.sink().local_tee(size).local_get(count).i64_extend_i32_u().i64_lt_u().local_get(to);
        self.extend(width);
        self.sink().local_get(size).local_get(count).i64_extend_i32_u().i64_sub().i64_gt_u().i32_or();
        self.sink().if_(BlockType::Empty).local_get(f);
        self.push_cost(Width::Bits32, is_bytes);
        self.sink().i64_add().local_set(f).else_();
        self.refill(0);
        self.sink().end().local_get(to).local_get(second).end().local_get(count);
    }

    /// Clamps the length on the stack to [`NO_LENGTH`].
    pub(super) fn clamp(&mut self) {
        let count = self.locals.count64();
        self.sink().local_set(count).local_get(count).i64_const(NO_LENGTH).local_get(count).i64_const(NO_LENGTH);
        self.sink().i64_lt_u().select();
    }

    /// Charges fuel for the count of bytes or elements on the stack, and pushes whether fuel is below zero. Returns the
    /// local that holds the count.
    fn charge_count(&mut self, width: Width, is_bytes: bool) -> u32 {
        let (f, count) = (self.locals.fuel(), self.count(width));
        self.sink().local_set(count).local_get(f);
        self.push_cost(width, is_bytes);
        self.sink().i64_sub().local_tee(f).i64_const(0).i64_lt_s();
        count
    }

    /// Pushes the cost of the saved count of bytes or elements.
    fn push_cost(&mut self, width: Width, is_bytes: bool) {
        self.push_count(width);
        match (is_bytes, width) {
            (true, _) => {
                self.sink().i64_const(BULK_SHIFT.into()).i64_shr_u();
            }
            (false, Width::Bits64) => {
                let count = self.locals.count64();
                clamp_elements(&mut self.sink(), count);
            }
            (false, Width::Bits32) => {}
        }
    }

    fn extend(&mut self, width: Width) {
        if width == Width::Bits32 {
            self.sink().i64_extend_i32_u();
        }
    }

    /// Saves the delta of the growth that follows.
    pub(super) fn before_growth(&mut self, width: Width) {
        let count = self.count(width);
        self.sink().local_tee(count);
    }

    /// Charges a growth that succeeded: the old size or -1 is on the stack and stays there.
    pub(super) fn after_memory_growth(&mut self, width: Width, page_size_log2: u32) {
        self.after_growth(width, |emitter| {
            emitter.push_count(width);
            if page_size_log2 >= BULK_SHIFT {
                emitter.sink().i64_const((page_size_log2 - BULK_SHIFT).into()).i64_shl();
            } else {
                emitter.sink().i64_const((BULK_SHIFT - page_size_log2).into()).i64_shr_u();
            }
        });
    }

    /// Like [`after_memory_growth`](Self::after_memory_growth), for a table.
    pub(super) fn after_table_growth(&mut self, width: Width) {
        self.after_growth(width, |emitter| emitter.push_cost(width, false));
    }

    fn after_growth(&mut self, width: Width, push_cost: impl FnOnce(&mut Self)) {
        let (f, count) = (self.locals.fuel(), self.count(width));
        // A failed growth is charged for nothing.
        let result = match width {
            Width::Bits32 => self.locals.condition(),
            Width::Bits64 => self.locals.result64(),
        };
        self.sink().local_tee(result).local_get(count);
        match width {
            Width::Bits32 => self.sink().i32_const(0).local_get(result).i32_const(-1).i32_ne(),
            Width::Bits64 => self.sink().i64_const(0).local_get(result).i64_const(-1).i64_ne(),
        };
        // (result, count, 0, grew) -> (result, count or 0)
        self.sink().select().local_set(count).local_get(f);
        push_cost(self);
        self.sink().i64_sub().local_tee(f);
        self.refill_if_negative();
    }

    fn count(&mut self, width: Width) -> u32 {
        match width {
            Width::Bits32 => self.locals.count32(),
            Width::Bits64 => self.locals.count64(),
        }
    }

    /// Pushes the saved count as an unsigned i64.
    fn push_count(&mut self, width: Width) {
        let count = self.count(width);
        self.sink().local_get(count);
        if width == Width::Bits32 {
            self.sink().i64_extend_i32_u();
        }
    }
}

/// Limits the number of elements on the stack, which is in the local `count` too, to [`MOST_ELEMENTS`].
pub(super) fn clamp_elements<'s, 'o>(sink: &'s mut InstructionSink<'o>, count: u32) -> &'s mut InstructionSink<'o> {
    sink.i64_const(MOST_ELEMENTS).local_get(count).i64_const(MOST_ELEMENTS).i64_lt_u().select()
}

/// The object that `memory.init` or `table.init` writes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Memory(u32),
    Table(u32),
}
