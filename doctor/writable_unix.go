//go:build unix

package doctor

import "golang.org/x/sys/unix"

// writable says why no file can be made in a directory, without trying to.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
