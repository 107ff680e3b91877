// Divides the two numbers of its input, `a/b`, and traps where it must not.

typedef unsigned int u32;
typedef unsigned long long u64;

static unsigned char input[4096];

__attribute__((export_name("__hotcell_abi_version"))) u32 abi_version(void) { return 1; }

__attribute__((export_name("alloc"))) unsigned char *alloc(u32 len) { return len <= sizeof input ? input : 0; }

__attribute__((noinline)) static int divide(int dividend, int divisor) { return dividend / divisor; }

__attribute__((noinline)) static int number(const unsigned char **at, const unsigned char *end) {
    int number = 0;
    while (*at < end && **at >= '0' && **at <= '9')
        number = number * 10 + *(*at)++ - '0';
    return number;
}

// Calls itself in a cycle of two, until the stack is full.
static int odd(volatile int depth);
__attribute__((noinline)) static int even(volatile int depth) { return depth == 0 || odd(depth - 1) + depth; }
__attribute__((noinline)) static int odd(volatile int depth) { return depth != 0 && even(depth - 1) + depth; }

// A frame in linear memory that is larger than the stack there.
__attribute__((noinline)) static int deep(int depth) {
    volatile int frame[4096];
    frame[depth & 4095] = depth;
    return depth == 0 ? frame[0] : deep(depth - 1) + frame[depth & 4095];
}

__attribute__((noinline)) static int evaluate(const unsigned char *at, const unsigned char *end) {
    if (at < end && *at == 'r')
        return even(1 << 30);
    if (at < end && *at == 'd')
        return deep(1 << 20);
    if (at < end && *at == 'l')
        for (volatile int forever = 1; forever;)
            ;
    if (at < end && *at == 'b')
        return -1;
    int dividend = number(&at, end);
    at++;
    return divide(dividend, number(&at, end));
}

__attribute__((export_name("process"))) u64 process(const unsigned char *at, u32 len) {
    int result = evaluate(at, at + len);
    if (result < 0)
        return ~0ull << 32 | 8;
    input[0] = '0' + result % 10;
    return (u64)(u32)input << 32 | 1;
}
