package pixel

import (
	"fmt"
	"os"
)

// level is a set of instructions that kernels are written in. All give the same bits.
type level int8

const (
	portable level = iota
	avx2
	avx512
)

var levelNames = [...]string{"portable", "avx2", "avx512"}

// lanes is the number of values that the widest kernel makes at a time. A kernel gets at least
// so many, and its last group overlaps the one before.
const lanes = 16

// inForce is the level that exported functions use.
var inForce, errLevel = choose(os.Getenv("VF2PREP_CPU"), best())

// choose returns the level of that name, or the best one where the name is empty, unknown or
// more than the machine has; the latter two are errors too.
func choose(name string, best level) (level, error) {
	if name == "" {
		return best, nil
	}
	for l, n := range levelNames {
		if n != name {
			continue
		}
		if level(l) > best {
			return best, fmt.Errorf("VF2PREP_CPU=%s: this CPU has %s at most", name, levelNames[best])
		}
		return level(l), nil
	}
	return best, fmt.Errorf("VF2PREP_CPU=%s, want portable, avx2 or avx512", name)
}

// CPU returns the instructions in force: "portable", "avx2" or "avx512", the best that the CPU
// has or what the environment variable VF2PREP_CPU asks for. The error says why the variable
// was not followed. Results do not depend on it, only speed does.
func CPU() (string, error) { return levelNames[inForce], errLevel }
