package export

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncsAtOnce says that the system brings all files of a directory to the disk in one call.
const syncsAtOnce = true

func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd())))
}
