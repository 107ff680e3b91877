// As ../rust/src/lib.rs, made with Extism's kit for AssemblyScript.

import { Config, Host, LogLevel, Memory, Var } from "@extism/as-pdk";
import { error_set } from "@extism/as-pdk/lib/env";

/** What the compiler calls where a program gives up: sets the error and traps. */
export function giveUp(message: string | null, _file: string | null, _line: u32, _column: u32): void {
  error_set(Memory.allocateString(message === null ? "no message" : message).offset);
  unreachable();
}

/** Counts the vowels of the input, which the configuration may name, and of all inputs of this instance. */
export function count_vowels(): i32 {
  const input = Host.inputString();
  const configured = Config.get("vowels");
  const vowels = configured === null ? "aeiouAEIOU" : configured;
  let count = 0;
  for (let i = 0; i < input.length; i++) {
    if (vowels.includes(input.charAt(i))) count++;
  }
  const before = Var.getString("total");
  const total = (before === null ? 0 : I32.parseInt(before)) + count;
  Var.set("total", Uint8Array.wrap(String.UTF8.encode(total.toString())));
  Host.outputString(`{"count":${count},"total":${total},"vowels":"${vowels}"}`);
  return 0;
}

/** Gives the input back. */
export function echo(): void {
  Host.output(Host.input());
}

/** Reports the input as an error. */
export function fail(): i32 {
  error_set(Memory.allocateString(Host.inputString()).offset);
  return 7;
}

/** Logs the input at two levels, of which one is kept. */
export function say(): i32 {
  const input = Host.inputString();
  Host.log(LogLevel.Info, input);
  Host.log(LogLevel.Debug, input + ", in detail");
  return 0;
}

/** Gives up with the input. */
export function panics(): i32 {
  throw new Error(Host.inputString());
}

/** Forgets the total. */
export function forget(): i32 {
  Var.remove("total");
  return 0;
}
