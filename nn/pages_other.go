//go:build !linux

package nn

// hugePages is for Linux: other systems choose for themselves.
func hugePages([]float32) {}
