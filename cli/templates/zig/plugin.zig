//! A plugin that turns text to upper case.

const std = @import("std");

/// Holds what a call takes until the next one begins.
var arena: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);

export fn __hotcell_abi_version() i32 {
    return 1;
}

export fn alloc(len: usize) ?[*]u8 {
    _ = arena.reset(.free_all);
    const input = arena.allocator().alloc(u8, len) catch return null;
    return input.ptr;
}

export fn process(ptr: [*]const u8, len: usize) u64 {
    const reply = std.ascii.allocUpperString(arena.allocator(), ptr[0..len]) catch @trap();
    return @as(u64, @intFromPtr(reply.ptr)) << 32 | reply.len;
}
