package kernel

import "os"

// level is a set of instructions that kernels are written in.
type level int8

const (
	portable level = iota
	avx2
	avx512
)

var levelNames = [...]string{"portable", "avx2", "avx512"}

// String returns the level's name, as VF2PREP_CPU has it.
func (l level) String() string { return levelNames[l] }

// inForce is the best level that the CPU has, or what VF2PREP_CPU asks for. Whether that could be
// followed is package pixel's to say.
var inForce = choose(os.Getenv("VF2PREP_CPU"), best())

// choose returns the level of that name, or the best one where the name is unknown or more than
// the machine has.
func choose(name string, best level) level {
	for l := portable; l < best; l++ {
		if l.String() == name {
			return l
		}
	}
	return best
}
