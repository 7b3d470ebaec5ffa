//go:build unix

package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// wantFiles is enough for a worker's photo each and every shard of the full set mapped.
const wantFiles = 4096

func filesOpen() Check {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Check{Name: "open files", State: Warning, Found: err.Error()}
	}
	c := Check{Name: "open files", State: OK, Found: fmt.Sprintf("at most %d", l.Cur)}
	if uint64(l.Cur) < wantFiles {
		c.State = Warning
		c.Advice = fmt.Sprintf("a large shard set wants %d: ulimit -n %d", wantFiles, wantFiles)
	}
	return c
}
