// Counts words with the C library.

#include <stdlib.h>
#include <string.h>

#include "json.h"

static int compare(const void *left, const void *right) {
    const struct span *a = left, *b = right;
    size_t len = (size_t)(a->end - a->at), other = (size_t)(b->end - b->at);
    int order = memcmp(a->at, b->at, len < other ? len : other);
    return order ? order : (len > other) - (len < other);
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (!memory) abort();
    return memory;
}

// Returns the reply, which the caller frees, and its length. Changes the input.
static uint8_t *count(uint8_t *input, uint32_t len, uint32_t *reply_len) {
    struct span text = json_read(input, len), longest = {text.at, text.at};
    struct span *words = allocate((size_t)(text.end - text.at + 1) / 2 * sizeof *words + 1);
    uint32_t count = 0, unique = 0;
    for (uint8_t *at = text.at; at < text.end;) {
        uint8_t *start = at;
        while (at < text.end && (*at == 0 || !strchr(" \t\n\f\r", *at))) at++;
        if (at > start) words[count++] = (struct span){start, at};
        else at++;
    }
    for (uint32_t i = 0; i < count; i++)
        if (characters(words[i]) > characters(longest)) longest = words[i];
    qsort(words, count, sizeof *words, compare);
    for (uint32_t i = 0; i < count; i++) unique += i == 0 || compare(&words[i - 1], &words[i]) != 0;
    free(words);
    uint8_t *reply = allocate(json_room(longest));
    *reply_len = json_write(reply, count, unique, longest);
    return reply;
}
