//! Far conditional branches of a large function.

use wasm_encoder::BlockType;

use super::emit::Emitter;

/// The operator `block`.
const BLOCK: u8 = 0x02;

impl Emitter<'_> {
    /// Begins the replacement of an `if`, whose type follows: saves the condition, and opens a block instead.
    pub(super) fn open_far_if(&mut self) {
        let condition = self.locals.condition();
        self.sink().local_set(condition);
        self.out.push(BLOCK);
    }

    /// Continues after the type: the arm is in a block of its own, which is left at once if the saved condition is
    /// false. The operands on the stack have the type `through`.
    pub(super) fn skip_far_arm(&mut self, through: BlockType) {
        let condition = self.locals.condition();
        self.sink().block(through).local_get(condition).i32_eqz().if_(through).br(1).end();
    }

    /// The `else` of such an `if`.
    pub(super) fn far_else(&mut self) {
        self.sink().br(1).end();
    }

    /// `br_if depth`, as a branch inside an `if` that passes operands of the type `through`.
    pub(super) fn far_branch_if(&mut self, depth: u32, through: BlockType) {
        self.sink().if_(through).br(depth + 1).end();
    }
}
