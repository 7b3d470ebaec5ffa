package atomicfile

import "golang.org/x/sys/unix"

// startWriting begins to write a part of a file to the disk and does not wait.
func startWriting(fd uintptr, from, n int64) {
	_ = unix.SyncFileRange(int(fd), from, n, unix.SYNC_FILE_RANGE_WRITE) // a hint
}
