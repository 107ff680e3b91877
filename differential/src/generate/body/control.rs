//! Blocks, branches and calls.

use wasm_encoder::{BlockType, Instruction as I, ValType};

use super::{Body, Frame, MOST_NESTED, MOST_RESULTS};

use ValType::{I32, I64};

impl Body<'_> {
    pub(super) fn block(&mut self) {
        if self.frames.len() > MOST_NESTED || self.left < 6 {
            return;
        }
        match self.numbers.below(4) {
            0 => {
                let (params, results) = self.block_type();
                self.open(I::Block, &params, &results, results.clone());
                self.statements();
                self.close(&results);
            }
            1 => self.counted_loop(),
            2 => self.loop_with_exits(),
            _ => self.if_else(),
        }
    }

    /// A block whose results are locals in order and values that were just computed, and a branch with them: an engine
    /// that reads the locals from their slots and the others from the stack must copy some of them only.
    pub(super) fn run_under_branch(&mut self) {
        if self.locals.is_empty() || self.frames.len() > MOST_NESTED {
            return self.run_of_locals();
        }
        let from = self.numbers.below(self.locals.len() as u64) as usize;
        let run = self.locals[from..].len().min(1 + self.numbers.below(MOST_RESULTS) as usize);
        let computed = (MOST_RESULTS as usize - run).min(self.numbers.below(3) as usize);
        let computed: Vec<ValType> = (0..computed).map(|_| self.plan.value_type(self.numbers)).collect();
        let is_run_first = !self.numbers.once_in(4);
        let locals = self.locals[from..from + run].to_vec();
        let results = if is_run_first { [locals, computed.clone()] } else { [computed.clone(), locals] }.concat();
        self.open(I::Block, &[], &results, results.clone());
        if !is_run_first {
            computed.iter().for_each(|ty| self.computed(*ty));
        }
        for local in from..from + run {
            self.apply(&I::LocalGet(local as u32), &[], &[self.locals[local]]);
        }
        if is_run_first {
            computed.iter().for_each(|ty| self.computed(*ty));
        }
        match self.numbers.below(3) {
            0 => {}
            1 => {
                self.value(I32);
                self.apply(&I::BrIf(0), &[I32], &[]);
            }
            _ => {
                self.emit(&I::Br(0));
                let frame = self.frames.last_mut().expect("the block is open");
                frame.is_unreachable = true;
                self.stack.truncate(frame.height);
            }
        }
        self.close(&results);
    }

    /// A value that is not in a local and not a constant.
    fn computed(&mut self, ty: ValType) {
        self.value(ty);
        let operator = match ty {
            I32 => I::I32Clz,
            I64 => I::I64Extend8S,
            ValType::F32 => I::F32Neg,
            ValType::F64 => I::F64Abs,
            _ => I::V128Not,
        };
        self.apply(&operator, &[ty], &[ty]);
    }

    /// Parameters that are on the stack, and any results.
    fn block_type(&mut self) -> (Vec<ValType>, Vec<ValType>) {
        let above = &self.stack[self.frame().height..];
        let count = self.numbers.below(above.len().min(MOST_RESULTS as usize) as u64 + 1) as usize;
        let params = above[above.len() - count..].to_vec();
        let results = match self.numbers.once_in(4) {
            true => params.clone(),
            false => self.plan.value_types(self.numbers, MOST_RESULTS),
        };
        (params, results)
    }

    fn open(
        &mut self,
        block: impl FnOnce(BlockType) -> I<'static>,
        params: &[ValType],
        results: &[ValType],
        label: Vec<ValType>,
    ) {
        let ty = match (params, results) {
            ([], []) => BlockType::Empty,
            ([], [one]) => BlockType::Result(*one),
            _ => BlockType::FunctionType(self.plan.ty(params.to_vec(), results.to_vec())),
        };
        self.emit(&block(ty));
        self.frames.push(Frame { label, height: self.stack.len() - params.len(), is_unreachable: false });
    }

    fn statements(&mut self) {
        for _ in 0..1 + self.numbers.below(9) {
            if self.left > 0 {
                self.statement();
            }
        }
    }

    fn close(&mut self, results: &[ValType]) {
        self.finish(results);
        self.emit(&I::End);
        let height = self.frame().height;
        self.frames.pop();
        self.stack.truncate(height);
        self.stack.extend_from_slice(results);
    }

    /// Leaves exactly these types in the current frame.
    pub(super) fn finish(&mut self, results: &[ValType]) {
        let height = self.frame().height;
        if self.stack[height..] == *results {
            return;
        }
        let kept: Vec<u32> = match self.has(results) && !self.frame().is_unreachable {
            true => results.iter().map(|ty| self.new_local(*ty)).collect(),
            false => Vec::new(),
        };
        for local in kept.iter().rev() {
            let ty = self.locals[*local as usize];
            self.apply(&I::LocalSet(*local), &[ty], &[]);
        }
        while self.stack.len() > height {
            self.consume_or_drop();
        }
        if kept.is_empty() {
            // At the end of unreachable code the operands may be missing.
            if !(self.frame().is_unreachable && self.numbers.once_in(2)) {
                results.iter().for_each(|ty| self.value(*ty));
            }
        }
        for local in kept {
            let ty = self.locals[local as usize];
            self.apply(&I::LocalGet(local), &[], &[ty]);
        }
    }

    fn consume_or_drop(&mut self) {
        match self.numbers.once_in(2) {
            true => self.consume(),
            false => {
                self.emit(&I::Drop);
                self.pop(1);
            }
        }
    }

    /// A local with a small number that a loop counts down.
    fn counter(&mut self) -> u32 {
        let counter = self.new_local(I32);
        self.counters.push(counter);
        let times = self.numbers.pick(&[1, 2, 3, 5, 20, 200]);
        self.apply(&I::I32Const(times), &[], &[I32]);
        self.apply(&I::LocalSet(counter), &[I32], &[]);
        counter
    }

    /// Leaves the decremented counter.
    fn count_down(&mut self, counter: u32) {
        self.apply(&I::LocalGet(counter), &[], &[I32]);
        self.apply(&I::I32Const(1), &[], &[I32]);
        self.apply(&I::I32Sub, &[I32, I32], &[I32]);
        self.apply(&I::LocalTee(counter), &[I32], &[I32]);
    }

    /// A loop with conditional exits, each to the end of a block that has no other predecessor.
    fn loop_with_exits(&mut self) {
        let counter = self.counter();
        let exits: Vec<_> =
            (0..1 + self.numbers.below(3)).map(|_| self.plan.value_types(self.numbers, MOST_RESULTS)).collect();
        for results in exits.iter().rev() {
            self.open(I::Block, &[], results, results.clone());
        }
        self.open(I::Loop, &[], &[], Vec::new());
        for (exit, results) in exits.iter().enumerate() {
            if self.numbers.once_in(3) {
                self.statements();
            }
            if self.frame().is_unreachable {
                break;
            }
            self.ensure_operands(results);
            match exit {
                0 => self.count_down(counter),
                _ => self.value(I32),
            }
            self.apply(&I::I32Eqz, &[I32], &[I32]);
            self.apply(&I::BrIf(exit as u32 + 1), &[I32], &[]);
        }
        self.statements();
        self.finish(&[]);
        self.emit(&I::Br(0));
        self.frames.last_mut().expect("the loop is open").is_unreachable = true;
        self.close(&[]);
        for results in &exits {
            self.close(results);
            if self.numbers.once_in(2) {
                self.statements();
            }
        }
    }

    /// A loop that ends with its counter, unless a branch inside targets its head too.
    fn counted_loop(&mut self) {
        let counter = self.counter();
        let (params, results) = self.block_type();
        self.open(I::Loop, &params, &results, params.clone());
        self.statements();
        self.finish(&params);
        if self.frame().is_unreachable {
            return self.close(&results);
        }
        self.count_down(counter);
        self.apply(&I::BrIf(0), &[I32], &[]);
        self.close(&results);
    }

    fn if_else(&mut self) {
        self.ensure_operands(&[I32]);
        if self.stack.len() == self.frame().height {
            // Unreachable: the condition may be missing.
            self.constant(I32);
        }
        self.pop(1);
        let (params, results) = self.block_type();
        self.open(I::If, &params, &results, results.clone());
        self.statements();
        if params != results || self.numbers.once_in(2) {
            self.finish(&results);
            self.emit(&I::Else);
            let height = self.frame().height;
            self.stack.truncate(height);
            self.stack.extend_from_slice(&params);
            self.frames.last_mut().expect("it was opened above").is_unreachable = false;
            self.statements();
        }
        self.close(&results);
    }

    fn label(&mut self) -> (u32, Vec<ValType>) {
        let depth = self.numbers.below(self.frames.len() as u64) as usize;
        (depth as u32, self.frames[self.frames.len() - 1 - depth].label.clone())
    }

    /// `br_if`, sometimes on the result of a comparison, which engines fuse with the branch.
    pub(super) fn branch_if(&mut self) {
        let (depth, label) = self.label();
        self.ensure_operands(&label);
        match self.numbers.below(3) {
            0 => self.value(I32),
            1 => {
                self.value(I32);
                self.value(I32);
                let comparison = self.numbers.pick(&[0, 1, 2, 3]);
                let comparisons = [I::I32And, I::I32LtS, I::I32Ne, I::I32Or];
                self.apply(&comparisons[comparison], &[I32, I32], &[I32]);
            }
            _ => {
                self.value(I64);
                self.apply(&I::I64Eqz, &[I64], &[I32]);
            }
        }
        self.apply(&I::BrIf(depth), &[I32], &[]);
        if self.frame().is_unreachable {
            // The branch has determined the types of its operands.
            self.pop(label.len());
            self.stack.extend_from_slice(&label);
        }
    }

    /// An operator after which the code is unreachable.
    pub(super) fn stop(&mut self) {
        // A body that ends at once tests little.
        if self.frames.len() == 1 && self.left > 3 && !self.numbers.once_in(10) {
            return self.operator();
        }
        match self.numbers.below(9) {
            0..3 => {
                let (depth, label) = self.label();
                self.ensure_operands(&label);
                self.emit(&I::Br(depth));
            }
            3..6 => self.branch_table(),
            6 => {
                let results = self.results.clone();
                self.ensure_operands(&results);
                self.emit(&I::Return);
            }
            7 if self.plan.kinds.tail_calls => {
                if !self.tail_call() {
                    return;
                }
            }
            _ => self.emit(&I::Unreachable),
        }
        let frame = self.frames.last_mut().expect("the function's own frame is there to the end");
        frame.is_unreachable = true;
        self.stack.truncate(frame.height);
    }

    fn branch_table(&mut self) {
        let (default, label) = self.label();
        let alike = |depth: &u32| self.frames[self.frames.len() - 1 - *depth as usize].label == label;
        let alike: Vec<u32> = (0..self.frames.len() as u32).filter(alike).collect();
        let targets: Vec<u32> = (0..self.numbers.below(7)).map(|_| self.numbers.pick(&alike)).collect();
        self.ensure_operands(&label);
        self.value(I32);
        self.emit(&I::BrTable(targets.into(), default));
    }

    /// A local that is set from a chain of operators and used in several arms, or by their end alone: a compiler computes
    /// the chain in each of them.
    pub(super) fn chain_in_arms(&mut self) {
        let ty = if self.numbers.once_in(2) { I32 } else { I64 };
        let globals = self.globals(ty, true);
        let (Some(local), Some(other)) = (self.local(ty, true), self.local(ty, true)) else { return self.operator() };
        self.value(ty);
        for _ in 0..self.numbers.below(40) {
            self.value(ty);
            let operator = match (ty, self.numbers.below(3)) {
                (I32, 0) => I::I32Mul,
                (I32, 1) => I::I32Xor,
                (I32, _) => I::I32Add,
                (_, 0) => I::I64Mul,
                (_, 1) => I::I64Xor,
                _ => I::I64Add,
            };
            self.apply(&operator, &[ty, ty], &[ty]);
        }
        let (set, get) = (I::LocalSet(local), I::LocalGet(local));
        self.apply(&set, &[ty], &[]);
        for _ in 0..1 + self.numbers.below(4) {
            let shape = self.numbers.below(4);
            if shape == 1 {
                self.emit(&I::Block(BlockType::Empty));
            }
            self.value(I32);
            self.apply(&if shape == 1 { I::BrIf(0) } else { I::If(BlockType::Empty) }, &[I32], &[]);
            if shape == 2 {
                self.emit(&I::Else);
            }
            match (self.numbers.below(3), globals.is_empty()) {
                (0, false) => {
                    self.apply(&get, &[], &[ty]);
                    let global = self.numbers.pick(&globals);
                    self.apply(&I::GlobalSet(global), &[ty], &[]);
                }
                (1, _) => {
                    self.apply(&get, &[], &[ty]);
                    self.apply(&I::LocalSet(other), &[ty], &[]);
                }
                _ => {
                    self.constant(ty);
                    self.apply(&set, &[ty], &[]);
                }
            }
            self.emit(&I::End);
        }
    }

    /// Whether a function could be tail-called here.
    fn tail_call(&mut self) -> bool {
        let fits = |function: &u32| self.plan.function_type(*function).1 == self.results;
        let functions: Vec<u32> = (0..self.plan.functions.len() as u32).filter(fits).collect();
        if functions.is_empty() {
            return false;
        }
        let function = self.numbers.pick(&functions);
        let params = self.plan.function_type(function).0;
        self.ensure_operands(&params);
        if self.numbers.once_in(3) {
            let type_index = self.plan.functions[function as usize];
            self.index_of(type_index);
            self.emit(&I::ReturnCallIndirect { type_index, table_index: 0 });
        } else {
            self.emit(&I::ReturnCall(function));
        }
        true
    }

    /// Mostly later functions; others as long as the first global is above zero.
    pub(super) fn call(&mut self) {
        let function = self.numbers.below(self.plan.functions.len() as u64) as u32;
        let (params, results) = self.plan.function_type(function);
        let is_indirect = self.numbers.once_in(4);
        let is_import = function < self.plan.imports.len() as u32;
        let goes_on = !is_indirect && (is_import || function > self.function);
        if goes_on || self.numbers.once_in(12) {
            self.ensure_operands(&params);
            return self.call_of(function, is_indirect, &params, &results);
        }
        self.apply(&I::GlobalGet(0), &[], &[I32]);
        self.pop(1);
        self.open(I::If, &[], &[], Vec::new());
        self.apply(&I::GlobalGet(0), &[], &[I32]);
        self.apply(&I::I32Const(1), &[], &[I32]);
        self.apply(&I::I32Sub, &[I32, I32], &[I32]);
        self.apply(&I::GlobalSet(0), &[I32], &[]);
        params.iter().for_each(|ty| self.value(*ty));
        self.call_of(function, is_indirect, &params, &results);
        self.close(&[]);
    }

    fn call_of(&mut self, function: u32, is_indirect: bool, params: &[ValType], results: &[ValType]) {
        if is_indirect {
            let type_index = self.plan.functions[function as usize];
            self.index_of(type_index);
            let params = [params, &[self.plan.table_index(0)]].concat();
            self.apply(&I::CallIndirect { type_index, table_index: 0 }, &params, results);
        } else {
            self.apply(&I::Call(function), params, results);
        }
    }
}
