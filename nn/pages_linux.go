package nn

import (
	"syscall"
	"unsafe"
)

// hugePage is the size that amd64 and arm64 have besides 4 KiB.
const hugePage = 2 << 20

// hugePages asks for huge pages where a large array fills them. A pass over the weights of a layer takes
// up to half as long: with pages of 4 KiB it waits for the tables. It is advice, so an error is
// nothing to stop for; and what the array does not fill is left alone, so memory does not grow.
func hugePages(a []float32) {
	if len(a)*4 < 2*hugePage {
		return
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&a[0])), len(a)*4)
	b = b[-uintptr(unsafe.Pointer(&a[0]))%hugePage:]
	_ = syscall.Madvise(b[:len(b)/hugePage*hugePage], syscall.MADV_HUGEPAGE)
}
