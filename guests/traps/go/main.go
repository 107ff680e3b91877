// Says whose turn it is, and panics where there is nobody.
package main

import "unsafe"

// Kept, so that they are not collected while only the host knows their addresses.
var input, reply []byte

var turns []string

//go:wasmexport __hotcell_abi_version
func abiVersion() int32 { return 1 }

//go:wasmexport alloc
func alloc(size uint32) unsafe.Pointer {
	input = make([]byte, size)
	return unsafe.Pointer(unsafe.SliceData(input))
}

//go:noinline
func turn(of []string, number int) string { return of[number] }

//go:wasmexport process
func process(ptr unsafe.Pointer, size uint32) uint64 {
	reply = []byte(turn(turns, int(size)))
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(reply))))<<32 | uint64(len(reply))
}

// Not called in a library.
func main() {}
