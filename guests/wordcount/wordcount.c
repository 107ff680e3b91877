// A plugin in C, without any library: counts lines, words and bytes, and lists the most frequent
// words. It shows the whole ABI in one file: `memory` (exported by the linker), `alloc`,
// `process` and the version export.
//
// The reply is
//
//     lines 2
//     words 5
//     bytes 25
//        3 the
//        1 cat
//        1 hat
//
// with at most TOP words, the most frequent first, equal ones in the order of their bytes.
//
// A line ends with a line feed; a last line without one counts too. A word is a run of letters,
// digits, apostrophes and bytes from 0x80 on (so that words in UTF-8 stay whole). Upper and lower
// case of ASCII are the same.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(name)))

enum {
    ABI_VERSION = 1,
    PAGE = 65536,
    TOP = 10,
    NUMBER_BYTES = 10,     // digits of the largest u32
    MAX_SHOWN_BYTES = 100, // of a word in the reply
    LABELS_BYTES = 3 * (6 + NUMBER_BYTES + 1),
    WORD_BYTES = NUMBER_BYTES + 1 + MAX_SHOWN_BYTES + 1,
};

// Memory: a pointer that moves up, from where the linker's data ends. It goes back to the start
// when the next call begins, so a session does not grow: `alloc` begins a call, or the entry
// itself when there is no input.

extern u8 __heap_base; // from the linker; only its address means something

static u32 heap_top;

static void heap_reset(void) { heap_top = (u32)&__heap_base; }

// Returns 0 when there is no memory left. What it returns is not zeroed.
static void *heap_alloc(u32 size) {
    u32 start = (heap_top + 7) & ~7u;
    u64 end = (u64)start + size;
    u64 have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have) {
        u32 pages = (u32)((end - have + PAGE - 1) / PAGE);
        if (__builtin_wasm_memory_grow(0, pages) == (u32)-1) return 0;
    }
    heap_top = (u32)end; // 2^32 wraps to 0 only in a memory of 4 GiB, which ends the call below
    return heap_top < start ? 0 : (void *)start;
}

// Distinct words: a hash table with open addressing, at most half full.

struct word {
    const u8 *text; // 0 in an empty slot
    u32 len, hash, count;
};

static struct word *slots;
static u32 slot_count, words_used; // slot_count is a power of two

static int same_text(const u8 *a, const u8 *b, u32 len) {
    for (u32 i = 0; i < len; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

static struct word *find(const u8 *text, u32 len, u32 hash) {
    u32 i = hash & (slot_count - 1);
    while (slots[i].text &&
           !(slots[i].hash == hash && slots[i].len == len && same_text(slots[i].text, text, len)))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

// The old table is left where it is: all tables together are less than twice the last one.
static void resize(u32 count) {
    struct word *old = slots;
    u32 old_count = slot_count;
    slots = (u64)count * sizeof *slots >> 32 ? 0 : heap_alloc(count * sizeof *slots);
    if (!slots) __builtin_trap();
    slot_count = count;
    for (u32 i = 0; i < count; i++) slots[i].text = 0;
    for (u32 i = 0; i < old_count; i++)
        if (old[i].text) *find(old[i].text, old[i].len, old[i].hash) = old[i];
}

static void count_word(const u8 *text, u32 len, u32 hash) {
    if (words_used * 2 >= slot_count) resize(slot_count * 2);
    struct word *word = find(text, len, hash);
    if (!word->text) {
        *word = (struct word){text, len, hash, 0};
        words_used++;
    }
    word->count++;
}

// Whether `a` comes before `b` in the reply.
static int before(const struct word *a, const struct word *b) {
    if (a->count != b->count) return a->count > b->count;
    u32 shorter = a->len < b->len ? a->len : b->len;
    for (u32 i = 0; i < shorter; i++)
        if (a->text[i] != b->text[i]) return a->text[i] < b->text[i];
    return a->len < b->len;
}

// The reply.

static u8 *out;

static void put_text(const u8 *text, u32 len) {
    for (u32 i = 0; i < len; i++) *out++ = text[i];
}

// Right-aligned to `width`, or as wide as needed.
static void put_number(u32 number, u32 width) {
    u8 digits[NUMBER_BYTES];
    u32 at = NUMBER_BYTES;
    do digits[--at] = (u8)('0' + number % 10);
    while (number /= 10);
    for (u32 len = NUMBER_BYTES - at; len < width; len++) *out++ = ' ';
    put_text(digits + at, NUMBER_BYTES - at);
}

static void put_label(const char *label, u32 number) {
    while (*label) *out++ = (u8)*label++;
    put_number(number, 0);
    *out++ = '\n';
}

// A long word is cut, but not within a character of UTF-8.
static u32 shown_len(const struct word *word) {
    u32 len = word->len;
    if (len <= MAX_SHOWN_BYTES) return len;
    len = MAX_SHOWN_BYTES;
    while (len > MAX_SHOWN_BYTES - 3 && (word->text[len] & 0xc0) == 0x80) len--;
    return len;
}

static int is_word_byte(u8 byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '\'' ||
           byte >= 0x80;
}

EXPORT("__hotcell_abi_version") int abi_version(void) { return ABI_VERSION; }

EXPORT("alloc") void *abi_alloc(u32 len) {
    heap_reset();
    return heap_alloc(len);
}

EXPORT("process") u64 process(u8 *input, u32 len) {
    if (len == 0) heap_reset();
    slots = 0;
    slot_count = words_used = 0;
    resize(64);

    u32 lines = 0, words = 0;
    for (u32 i = 0; i < len;) {
        if (input[i] == '\n') lines++;
        u32 start = i, hash = 2166136261u; // FNV-1a
        for (; i < len; i++) {
            if (input[i] >= 'A' && input[i] <= 'Z') input[i] |= 0x20;
            if (!is_word_byte(input[i])) break;
            hash = (hash ^ input[i]) * 16777619u;
        }
        if (i == start) {
            i++;
        } else {
            words++;
            count_word(input + start, i - start, hash);
        }
    }
    if (len > 0 && input[len - 1] != '\n') lines++;

    const struct word *top[TOP];
    u32 top_count = 0;
    for (u32 i = 0; i < slot_count; i++) {
        if (!slots[i].text) continue;
        u32 at = top_count;
        while (at > 0 && before(&slots[i], top[at - 1])) at--;
        if (at == TOP) continue;
        if (top_count < TOP) top_count++;
        for (u32 j = top_count - 1; j > at; j--) top[j] = top[j - 1];
        top[at] = &slots[i];
    }

    u8 *reply = out = heap_alloc(LABELS_BYTES + TOP * WORD_BYTES);
    if (!reply) __builtin_trap();
    put_label("lines ", lines);
    put_label("words ", words);
    put_label("bytes ", len);
    for (u32 i = 0; i < top_count; i++) {
        put_number(top[i]->count, 4);
        *out++ = ' ';
        put_text(top[i]->text, shown_len(top[i]));
        *out++ = '\n';
    }
    return (u64)(u32)reply << 32 | (u32)(out - reply);
}
