// Counts words with the C++ library: a plugin of the byte contract.

#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "../c/json.h"

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

// Filled by a constructor that runs before `main` would: without it, nothing separates words.
static const std::set<uint8_t> spaces{' ', '\t', '\n', '\f', '\r'};

static std::vector<uint8_t> input, reply;

EXPORT("__hotcell_abi_version") int abi_version() { return 1; }

EXPORT("alloc") uint8_t *alloc(uint32_t len) {
    input.resize(len);
    return input.data();
}

EXPORT("process") uint64_t process(uint8_t *bytes, uint32_t len) {
    span text = json_read(bytes, len), longest{text.at, text.at};
    std::map<std::basic_string_view<char>, uint32_t> counts;
    uint32_t words = 0;
    for (uint8_t *at = text.at; at < text.end;) {
        span word{at, at};
        while (word.end < text.end && !spaces.contains(*word.end)) word.end++;
        at = word.end + 1;
        if (word.at == word.end) continue;
        words++;
        counts[{reinterpret_cast<char *>(word.at), static_cast<size_t>(word.end - word.at)}]++;
        if (characters(word) > characters(longest)) longest = word;
    }
    reply.resize(json_room(longest));
    uint32_t reply_len = json_write(reply.data(), words, static_cast<uint32_t>(counts.size()), longest);
    return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(reply.data())) << 32 | reply_len;
}
