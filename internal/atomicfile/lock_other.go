//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package atomicfile

import (
	"errors"
	"os"
)

// lock fails: what was left behind stays, for nobody can tell whether it is in use.
func lock(*os.File, bool) error { return errors.ErrUnsupported }
