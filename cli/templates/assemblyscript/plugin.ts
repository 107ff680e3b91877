// A plugin that turns text to upper case.

// Keeps the input and the reply from the collector while only the host knows their addresses.
let input: ArrayBuffer = new ArrayBuffer(0);
let reply: ArrayBuffer = new ArrayBuffer(0);

export function __hotcell_abi_version(): i32 {
  return 1;
}

export function alloc(len: i32): usize {
  input = new ArrayBuffer(len);
  return changetype<usize>(input);
}

export function process(ptr: usize, len: i32): u64 {
  const text = String.UTF8.decodeUnsafe(ptr, len);
  reply = String.UTF8.encode(text.toUpperCase());
  return (u64(changetype<usize>(reply)) << 32) | u64(reply.byteLength);
}
