// luhn(text) -> boolean: whether the digits of a number, such as a payment card's, have the right check digit. A text
// without digits is null.
//
// The whole of what a function needs, by hand: the byte ABI of hotcell, and the raw frame that hotcell-datafusion
// describes in its module `frame`.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD = 16, DESCRIPTOR = 24, BOOLEAN = 1, TEXT = 12, PAGE = 65536 };

extern uint8_t __heap_base;

__attribute__((export_name("__hotcell_abi_version"))) int32_t abi_version(void) { return 1; }

// Memory from `at` for `bytes`; null when the host refuses to grow. Nothing is freed: a batch has an instance of its own.
static uint8_t *take(uint8_t *at, size_t bytes) {
    size_t end = (size_t)at + bytes, have = __builtin_wasm_memory_size(0) * (size_t)PAGE;
    if (end < bytes) return NULL;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == (size_t)-1) return NULL;
    return at;
}

static size_t input_bytes;

// Called before each batch: room for the request.
__attribute__((export_name("alloc"))) uint8_t *input_room(uint32_t bytes) {
    input_bytes = ((size_t)bytes + 7) & ~(size_t)7;
    return take((uint8_t *)(((size_t)&__heap_base + 7) & ~(size_t)7), input_bytes);
}

static uint32_t number(const uint8_t *bytes) { return *(const uint32_t *)bytes; }
static void set(uint8_t *bytes, uint32_t value) { *(uint32_t *)bytes = value; }

// 1 or 0, or -1 when there is no digit.
static int check(const uint8_t *text, uint32_t len) {
    uint32_t sum = 0, digits = 0;
    while (len--) {
        uint32_t digit = (uint32_t)text[len] - '0';
        if (digit > 9) continue;
        if (digits++ % 2) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return digits ? sum % 10 == 0 : -1;
}

static uint64_t reply(const uint8_t *at, uint32_t len) { return (uint64_t)(size_t)at << 32 | len; }

static uint64_t refuse(void) {
    static const char message[] = "HCE1\xff\xff\xff\xff\x18\0\0\0\0\0\0\0luhn(text) gives boolean";
    return reply((const uint8_t *)message, sizeof message - 1);
}

// The offsets and lengths of the request are the host's, which has checked them.
__attribute__((export_name("luhn"))) uint64_t luhn(const uint8_t *request, uint32_t len) {
    const uint8_t *column = request + HEAD, *result = column + DESCRIPTOR;
    if (len < HEAD + 2 * DESCRIPTOR || number(request + 8) != 1) return refuse();
    if (column[0] != TEXT || result[0] != BOOLEAN) return refuse();

    uint32_t rows = number(request + 4), bits = ((rows + 63) / 64) * 8;
    uint32_t total = HEAD + DESCRIPTOR + 2 * bits;
    uint8_t *out = take((uint8_t *)request + input_bytes, total);
    if (!out) __builtin_trap();
    for (uint32_t at = 0; at < total; at += 8) *(uint64_t *)(out + at) = 0;
    set(out, number(request)); // HCF1
    set(out + 4, rows);
    set(out + 8, 1);
    set(out + 12, total);
    uint8_t *descriptor = out + HEAD, *validity = descriptor + DESCRIPTOR, *values = validity + bits;
    descriptor[0] = BOOLEAN;
    descriptor[1] = 1;
    set(descriptor + 8, HEAD + DESCRIPTOR);
    set(descriptor + 16, HEAD + DESCRIPTOR + bits);
    set(descriptor + 20, bits);

    const uint8_t *valid = column[1] ? request + number(column + 8) : NULL;
    const uint32_t *offsets = (const uint32_t *)(request + number(column + 12));
    const uint8_t *text = request + number(column + 16);
    for (uint32_t row = 0; row < rows; row++) {
        if (valid && !(valid[row / 8] >> row % 8 & 1)) continue;
        int verdict = check(text + offsets[row], offsets[row + 1] - offsets[row]);
        if (verdict < 0) continue;
        validity[row / 8] |= (uint8_t)(1 << row % 8);
        values[row / 8] |= (uint8_t)(verdict << row % 8);
    }
    return reply(out, total);
}
