// Package diskspace says how much room a file system has left.
package diskspace

// Free returns the bytes that a user without privileges may still write in dir's file system.
// dir must exist.
func Free(dir string) (int64, error) { return free(dir) }
