//go:build linux || darwin

package shard

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

type advice int

const (
	willNeed advice = unix.MADV_WILLNEED
	dontNeed advice = unix.MADV_DONTNEED
	atRandom advice = unix.MADV_RANDOM
)

// madvise passes a hint on; a system that does not take it goes on without.
func madvise(b []byte, a advice) {
	if len(b) > 0 {
		_ = unix.Madvise(b, int(a))
	}
}

// inMemory looks at the first pages of b.
func inMemory(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	var there [16]byte // a page each; bit 0 says it
	n := min(len(there), (len(b)+os.Getpagesize()-1)/os.Getpagesize())
	_, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(n*os.Getpagesize()), uintptr(unsafe.Pointer(&there[0])))
	for _, t := range there[:n] {
		if e == 0 && t&1 == 0 {
			return false
		}
	}
	return true
}
