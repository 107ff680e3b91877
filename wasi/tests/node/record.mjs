// Records what Node's WASI does in random sequences of calls on an empty directory:
//
//     node --no-warnings record.mjs > recorded.txt
//
// Each line is a call and its outcome: the name, the arguments, `>`, the error code, and where that is 0 what the function has
// written. `'a/b'` is a path (two arguments: address and length), `[3,5]` a list of two buffers of these lengths (address and
// count), `*` the address where results go, `7L` a number of 64 bits. `#` begins a sequence with a fresh directory.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WASI } from 'node:wasi'

const OUT = 64, PATHS = [1024, 2048], LIST = 3072, BUFFERS = 4096, BUFFER_BYTES = 1024
const SEQUENCES = 16, STEPS = 80

let seed = 1
const random = (below) => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % below
}
const one = (...list) => list[random(list.length)]

const READ = 1n << 1n, SEEK = 1n << 2n, TELL = 1n << 5n, WRITE = 1n << 6n, ALLOCATE = 1n << 8n, STAT = 1n << 21n,
  SET_SIZE = 1n << 22n, FLAGS = 1n << 3n
const path = () => `'${one('a', 'b', 'c', 'a', 'b', 'a/x', 'a/y', 'b/x', './b', 'a//x', 'c/x', 'c/x/y', 'm/x')}'`
const fd = () => one(4, 4, 5, 5, 6, 7, 8)
const list = () => `[${one('3', '5', '3,5', '0,7', '10,0,2', '64', '')}]`
const rights = () => {
  const access = one(READ, WRITE, READ | WRITE, READ | WRITE, READ | WRITE)
  const some = SEEK | TELL | STAT
  return `${access | (access === READ ? one(0n, some) : one(0n, some, some | ALLOCATE | SET_SIZE | FLAGS, 0xd4000ffn))}L`
}

// What the functions do is the same wherever this picks from; where it does not pick, hosts differ, and the specification is
// silent: `.` and `..` in a path, a slash at its end where a file is, what is read from a directory, and where
// `fd_pwrite` writes to a file that is appended to.
let appends = 0
const calls = {
  path_create_directory: () => [3, path()],
  path_open: () => [3, one(0, 1), path(), one(0, 0, 1, 1, 1, 2, 5, 8, 9), rights(), '0L', one(0, 0, appends), '*'],
  fd_close: () => [fd()],
  fd_write: () => [fd(), list(), '*'],
  fd_read: () => [fd(), list(), '*'],
  fd_pwrite: () => [fd(), list(), one('0L', '2L', '9L', '30L'), '*'],
  fd_pread: () => [fd(), list(), one('0L', '1L', '8L', '1000L'), '*'],
  fd_seek: () => [fd(), one('0L', '1L', '5L', '-1L', '40L', '-100L'), one(0, 1, 2), '*'],
  fd_tell: () => [fd(), '*'],
  fd_filestat_get: () => [fd(), '*'],
  path_filestat_get: () => [3, one(0, 1), path(), '*'],
  fd_filestat_set_size: () => [fd(), one('0L', '3L', '10L', '70L')],
  fd_allocate: () => [fd(), one('0L', '20L'), one('1L', '50L')],
  path_unlink_file: () => [3, path()],
  path_remove_directory: () => [3, path()],
  path_rename: () => [3, path(), 3, path()],
  fd_renumber: () => [fd(), fd()],
}
const weighted = Object.keys(calls).concat(
  Array(8).fill('path_open'), Array(4).fill(['fd_write', 'fd_read', 'fd_seek']).flat(), ['path_create_directory', 'fd_pread'])

const memory = new WebAssembly.Memory({ initial: 1 })
const bytes = new Uint8Array(memory.buffer), view = new DataView(memory.buffer)

const place = (args) => {
  let paths = 0
  return args.flatMap((arg) => {
    if (typeof arg === 'number') return [arg]
    if (arg === '*') return [OUT]
    if (arg.endsWith('L')) return [BigInt.asUintN(64, BigInt(arg.slice(0, -1)))]
    if (arg.startsWith("'")) {
      const text = new TextEncoder().encode(arg.slice(1, -1)), at = PATHS[paths++]
      bytes.set(text, at)
      return [at, text.length]
    }
    const lengths = arg === '[]' ? [] : arg.slice(1, -1).split(',').map(Number)
    let buffer = BUFFERS
    lengths.forEach((length, index) => {
      view.setUint32(LIST + 8 * index, buffer, true)
      view.setUint32(LIST + 8 * index + 4, length, true)
      buffer += length
    })
    return [LIST, lengths.length]
  })
}

const sum = () => {
  let hash = 0x811c9dc5
  for (let at = BUFFERS; at < BUFFERS + BUFFER_BYTES; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193) >>> 0
  return hash
}

const results = (name) => {
  switch (name) {
    case 'fd_read': case 'fd_pread': return [view.getUint32(OUT, true), sum()]
    case 'fd_write': case 'fd_pwrite': case 'path_open': return [view.getUint32(OUT, true)]
    case 'fd_seek': case 'fd_tell': return [view.getBigUint64(OUT, true)]
    case 'fd_filestat_get': case 'path_filestat_get': {
      const type = bytes[OUT + 16]
      // What a directory's size is, hosts do not agree about.
      return type === 3 ? [type] : [type, view.getBigUint64(OUT + 32, true)]
    }
    default: return []
  }
}

for (let sequence = 0; sequence < SEQUENCES; sequence++) {
  const directory = mkdtempSync(join(tmpdir(), 'record-'))
  const wasi = new WASI({ version: 'preview1', preopens: { '/': directory } })
  wasi.initialize({ exports: { memory } })
  console.log(`# ${sequence}`)
  for (let step = 0; step < STEPS; step++) {
    appends = sequence % 2
    const some = appends ? weighted.filter((name) => name !== 'fd_pwrite') : weighted
    const name = step === 0 ? 'path_create_directory' : some[random(some.length)]
    const args = step === 0 ? [3, "'a'"] : calls[name]()
    for (let at = 0; at < BUFFER_BYTES; at++) bytes[BUFFERS + at] = (step * 7 + at) & 0xff
    const errno = wasi.wasiImport[name](...place(args))
    console.log([name, ...args, '>', errno, ...(errno === 0 ? results(name) : [])].join(' '))
  }
  rmSync(directory, { recursive: true })
}
