// Counts words with the C library: a program from standard input to standard output.

#include <stdio.h>

#include "words.h"

int main(void) {
    size_t len = 0, room = 4096;
    uint8_t *input = allocate(room);
    for (size_t got; (got = fread(input + len, 1, room - len, stdin)) > 0;) {
        len += got;
        if (len < room) continue;
        input = realloc(input, room *= 2);
        if (!input) abort();
    }
    uint32_t reply_len;
    uint8_t *reply = count(input, (uint32_t)len, &reply_len);
    return fwrite(reply, 1, reply_len, stdout) == reply_len ? 0 : 1;
}
