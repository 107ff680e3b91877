// A plugin that turns text to upper case.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(name)))

// Room for the input; the reply is written over it.
static u8 input[65536];

EXPORT("__hotcell_abi_version") int abi_version(void) { return 1; }

EXPORT("alloc") void *abi_alloc(u32 len) { return len <= sizeof input ? input : 0; }

EXPORT("process") u64 process(u8 *text, u32 len) {
    for (u32 i = 0; i < len; i++)
        if (text[i] >= 'a' && text[i] <= 'z') text[i] -= 'a' - 'A';
    return (u64)(u32)text << 32 | len;
}
