//go:build !linux && !darwin

package shard

type advice int

const (
	willNeed advice = iota
	dontNeed
	atRandom
)

func madvise([]byte, advice) {}

func inMemory([]byte) bool { return true }
