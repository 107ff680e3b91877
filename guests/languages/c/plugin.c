// Counts words, without any library: a plugin of the byte contract.

#include "json.h"

#define EXPORT(name) __attribute__((export_name(name)))

// Memory moves up from where the linker's data ends, and starts again with each call.
extern uint8_t __heap_base;
static uint32_t heap;

static void *allocate(uint32_t size) {
    uint32_t start = (heap + 7) & ~7u;
    uint64_t end = (uint64_t)start + size, have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == (uint32_t)-1) return 0;
    heap = (uint32_t)end;
    return (void *)start;
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\f' || byte == '\r';
}

// Takes the next word from the text.
static bool next_word(struct span *text, struct span *word) {
    while (text->at < text->end && is_space(*text->at)) text->at++;
    word->at = text->at;
    while (text->at < text->end && !is_space(*text->at)) text->at++;
    word->end = text->at;
    return word->at < word->end;
}

static bool is_same(struct span a, struct span b) {
    if (a.end - a.at != b.end - b.at) return false;
    while (a.at < a.end)
        if (*a.at++ != *b.at++) return false;
    return true;
}

// Adds a word to a table of 2^n slots, empty ones without a word. Returns whether it is new.
static bool is_new(struct span *slots, uint32_t count, struct span word) {
    uint32_t hash = 2166136261; // FNV-1a
    for (uint8_t *at = word.at; at < word.end; at++) hash = (hash ^ *at) * 16777619;
    for (;; hash++) {
        struct span *slot = &slots[hash & (count - 1)];
        if (!slot->at) return *slot = word, true;
        if (is_same(*slot, word)) return false;
    }
}

EXPORT("__hotcell_abi_version") int abi_version(void) { return 1; }

EXPORT("alloc") void *input(uint32_t len) {
    heap = (uint32_t)&__heap_base;
    return allocate(len);
}

EXPORT("process") uint64_t process(uint8_t *input, uint32_t len) {
    struct span text = json_read(input, len), rest = text, word, longest = {text.at, text.at};
    uint32_t words = 0, unique = 0, slots = 2;
    while (next_word(&rest, &word)) words++;
    while (slots < 2 * words) slots *= 2;
    struct span *table = allocate(slots * sizeof *table);
    if (!table) __builtin_trap();
    for (uint32_t i = 0; i < slots; i++) table[i].at = 0;

    while (next_word(&text, &word)) {
        unique += is_new(table, slots, word);
        if (characters(word) > characters(longest)) longest = word;
    }
    uint8_t *reply = allocate(json_room(longest));
    if (!reply) __builtin_trap();
    return (uint64_t)(uint32_t)reply << 32 | json_write(reply, words, unique, longest);
}
