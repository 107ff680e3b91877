//! Conditional branches that reach far, in a large function.

use wasm_encoder::BlockType;

use super::emit::Emitter;

/// The operator `block`.
const BLOCK: u8 = 0x02;

impl Emitter<'_> {
    /// Begins what stands for an `if`, whose type follows: the condition is remembered, and a block opened in its place.
    pub(super) fn open_far_if(&mut self) {
        let condition = self.locals.condition();
        self.sink().local_set(condition);
        self.out.push(BLOCK);
    }

    /// Goes on with it behind the type: the arm stands in a block of its own, which is left at once where the remembered
    /// condition does not hold. The operands that are there are of the type `through`.
    pub(super) fn skip_far_arm(&mut self, through: BlockType) {
        let condition = self.locals.condition();
        self.sink().block(through).local_get(condition).i32_eqz().if_(through).br(1).end();
    }

    /// `else` of such an `if`.
    pub(super) fn far_else(&mut self) {
        self.sink().br(1).end();
    }

    /// `br_if depth`, as a branch inside an `if` that passes on operands of the type `through`.
    pub(super) fn far_branch_if(&mut self, depth: u32, through: BlockType) {
        self.sink().if_(through).br(depth + 1).end();
    }
}
