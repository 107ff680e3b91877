// The JSON of the plugins in C and C++: reads {"text":"…"}, writes {"words":6,"unique":4,"longest":"not"}.
// Needs no library. What is not such JSON ends the call with a trap.

#include <stdbool.h>
#include <stdint.h>

// Bytes from `at` to before `end`.
struct span {
    uint8_t *at, *end;
};

static uint8_t json_byte(struct span *in) {
    if (in->at == in->end) __builtin_trap();
    return *in->at++;
}

static void json_skip_space(struct span *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) in->at++;
}

static void json_expect(struct span *in, uint8_t byte) {
    json_skip_space(in);
    if (json_byte(in) != byte) __builtin_trap();
}

// The four hexadecimal digits after `\u`.
static uint32_t json_unit(struct span *in) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = json_byte(in), letter = byte | 0x20;
        bool digit = byte >= '0' && byte <= '9';
        if (!digit && (letter < 'a' || letter > 'f')) __builtin_trap();
        unit = unit << 4 | (uint32_t)(digit ? byte - '0' : letter - 'a' + 10);
    }
    return unit;
}

static uint32_t json_character(struct span *in) {
    uint32_t high = json_unit(in);
    if (high < 0xd800 || high > 0xdfff) return high;
    if (high > 0xdbff || json_byte(in) != '\\' || json_byte(in) != 'u') __builtin_trap();
    uint32_t low = json_unit(in);
    if (low < 0xdc00 || low > 0xdfff) __builtin_trap();
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint8_t *json_put_utf8(uint8_t *out, uint32_t character) {
    int more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (uint8_t)(first[more] | character >> 6 * more);
    while (more-- > 0) *out++ = (uint8_t)(0x80 | (character >> 6 * more & 0x3f));
    return out;
}

static uint8_t json_escaped(uint8_t byte) {
    switch (byte) {
    case '"': case '\\': case '/': return byte;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: __builtin_trap();
    }
}

// Decodes a string where it stands: no escape is shorter than its character.
static struct span json_string(struct span *in) {
    json_expect(in, '"');
    struct span text = {in->at, in->at};
    for (;;) {
        uint8_t byte = json_byte(in);
        if (byte == '"') return text;
        if (byte < 0x20) __builtin_trap();
        if (byte != '\\') {
            *text.end++ = byte;
        } else if ((byte = json_byte(in)) == 'u') {
            text.end = json_put_utf8(text.end, json_character(in));
        } else {
            *text.end++ = json_escaped(byte);
        }
    }
}

// The text of the input, which it changes.
static struct span json_read(uint8_t *input, uint32_t len) {
    struct span in = {input, input + len};
    json_expect(&in, '{');
    struct span name = json_string(&in);
    for (const char *expected = "text"; *expected; expected++)
        if (json_byte(&name) != (uint8_t)*expected) __builtin_trap();
    if (name.at != name.end) __builtin_trap();
    json_expect(&in, ':');
    struct span text = json_string(&in);
    json_expect(&in, '}');
    json_skip_space(&in);
    if (in.at != in.end) __builtin_trap();
    return text;
}

static uint8_t *json_put(uint8_t *out, const char *text) {
    while (*text) *out++ = (uint8_t)*text++;
    return out;
}

static uint8_t *json_put_number(uint8_t *out, uint32_t number) {
    if (number >= 10) out = json_put_number(out, number / 10);
    *out++ = (uint8_t)('0' + number % 10);
    return out;
}

static uint8_t *json_put_string(uint8_t *out, struct span text) {
    *out++ = '"';
    for (; text.at < text.end; text.at++) {
        uint8_t byte = *text.at;
        if (byte == '"' || byte == '\\') *out++ = '\\';
        if (byte == '\b') {
            out = json_put(out, "\\b");
        } else if (byte < 0x20) {
            out = json_put(out, byte < 0x10 ? "\\u000" : "\\u001");
            *out++ = (uint8_t)"0123456789abcdef"[byte & 15];
        } else {
            *out++ = byte;
        }
    }
    *out++ = '"';
    return out;
}

// Room for a reply: an escape has at most six bytes.
static uint32_t json_room(struct span longest) { return 64 + 6 * (uint32_t)(longest.end - longest.at); }

// Writes a reply to `out`, and returns its length.
static uint32_t json_write(uint8_t *out, uint32_t words, uint32_t unique, struct span longest) {
    uint8_t *end = json_put_number(json_put(out, "{\"words\":"), words);
    end = json_put_number(json_put(end, ",\"unique\":"), unique);
    end = json_put_string(json_put(end, ",\"longest\":"), longest);
    *end++ = '}';
    return (uint32_t)(end - out);
}

// Characters of UTF-8.
static uint32_t characters(struct span text) {
    uint32_t count = 0;
    for (; text.at < text.end; text.at++) count += (*text.at & 0xc0) != 0x80;
    return count;
}
