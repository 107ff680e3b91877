// A plugin that turns text to upper case.
package main

import (
	"bytes"
	"unsafe"
)

// Kept, so that they are not collected while only the host knows their addresses.
var input, reply []byte

//go:wasmexport __hotcell_abi_version
func abiVersion() int32 { return 1 }

//go:wasmexport alloc
func alloc(size uint32) unsafe.Pointer {
	input = make([]byte, size)
	return unsafe.Pointer(unsafe.SliceData(input))
}

//go:wasmexport process
func process(ptr unsafe.Pointer, size uint32) uint64 {
	reply = bytes.ToUpper(unsafe.Slice((*byte)(ptr), size))
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(reply))))<<32 | uint64(len(reply))
}

// Not called in a library.
func main() {}
