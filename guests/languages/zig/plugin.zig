//! Counts words: a plugin of the byte contract.

const std = @import("std");

const length = std.unicode.utf8CountCodepoints;

const Input = struct { text: []const u8 };
const Output = struct { words: usize, unique: usize, longest: []const u8 };

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
    const reply = count(ptr[0..len]) catch @trap();
    return @as(u64, @intFromPtr(reply.ptr)) << 32 | reply.len;
}

fn count(input: []const u8) ![]u8 {
    const allocator = arena.allocator();
    const in = try std.json.parseFromSliceLeaky(Input, allocator, input, .{});
    var unique: std.StringHashMapUnmanaged(void) = .empty;
    var out: Output = .{ .words = 0, .unique = 0, .longest = "" };
    var words = std.mem.tokenizeAny(u8, in.text, " \t\n\x0c\r");
    while (words.next()) |word| {
        out.words += 1;
        try unique.put(allocator, word, {});
        if (try length(word) > try length(out.longest)) out.longest = word;
    }
    out.unique = unique.count();
    return std.json.Stringify.valueAlloc(allocator, out, .{});
}
