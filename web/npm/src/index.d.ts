/** Types that host functions and typed calls have values for; an `i64` is a `bigint`. */
export type ValType = "i32" | "i64" | "f32" | "f64";

/** Where the module `hotcell.wasm` is, when it is not beside this package. */
export function init(module: URL | string | BufferSource | WebAssembly.Module): void;

/** Keys and values as in a policy file. */
export interface Rules {
  preset?: "default" | "strict" | "embedded" | "ceiling";
  [key: string]: unknown;
}

/** A policy: a preset, and the differences from it. It is checked when it is used. */
export class Policy {
  constructor(rules?: Rules | string);
  static default(): Policy;
  static strict(): Policy;
  static embedded(): Policy;
  static ceiling(): Policy;
  readonly text: string;
  with(changes: Rules): Policy;
  check(): Promise<{ text: string; fingerprint: string }>;
}

/** What a host function sees of the guest that called it, until it returns. */
export interface Context {
  readonly memory: Uint8Array;
  /** A copy of bytes of the guest. Throws where they are not all inside of its memory. */
  read(pointer: number, length: number): Uint8Array;
  write(pointer: number, bytes: Uint8Array): void;
  /** Takes fuel from the guest, when the host function returns. */
  charge(fuel: number | bigint): void;
}

export interface HostFunction {
  params?: ValType[];
  results?: ValType[];
  /** What it throws ends the call, with the code `host-function`. Several results are an array. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  call(context: Context, ...params: any[]): unknown;
}

export interface LoadOptions {
  /** Name of the entry of the byte contract. Without one, only typed calls are possible. */
  entry?: string;
  /** A program for WASI: input is its standard input, output its standard output. */
  command?: boolean;
  /** Host functions, by module and name. */
  imports?: Record<string, Record<string, HostFunction>>;
}

export interface Report {
  backend: string;
  backendVersion: string;
  /** Fingerprint of the policy. */
  policy: string;
  fuelUsed: bigint | null;
  peakMemoryBytes: number;
  refusedGrowths: number;
  hostCalls: number;
  guestMs: number;
  /** What the guest wrote. Its own text: show it as text only. */
  stdout: string;
  stderr: string;
}

/** One policy on one engine. */
export class Sandbox {
  static create(policy?: Policy, options?: { engine?: string }): Promise<Sandbox>;
  readonly policy: Policy;
  readonly notes: string[];
  load(module: BufferSource, options?: LoadOptions): Plugin;
}

/** A module that was admitted. Every call gets a fresh instance of it. */
export class Plugin {
  readonly exports: string[];
  readonly notes: string[];
  call(input?: BufferSource | string, entry?: string): { bytes: Uint8Array; report: Report };
  callValues(
    name: string,
    params?: [ValType, number | bigint][],
  ): { results: (number | bigint | string)[]; report: Report };
  dispose(): void;
}

export interface Rejection {
  code: string;
  /** Which byte of the module. */
  offset: number | null;
  message: string;
}

/** A verdict other than success: the code is that of every other build of hotcell. */
export class HotcellError extends Error {
  readonly code: string;
  readonly phase: string | null;
  readonly offset: number | null;
  /** Of a text that does not assemble. */
  readonly line: number | null;
  readonly rejections: Rejection[];
  readonly report: Report | null;
}

/** The bytes of a text module. */
export function assemble(text: string): Promise<Uint8Array>;

/** The line of a text module that makes the byte at `offset` of its bytes; `null` where that is not known. */
export function lineOf(text: string, offset: number): Promise<number | null>;
