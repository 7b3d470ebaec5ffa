package jpeg

import "os"

// level is a set of instructions that kernels are written in. All give the same bits.
type level int8

const (
	portable level = iota
	avx2
	avx512
)

var levelNames = [...]string{"portable", "avx2", "avx512"}

// String returns the level's name, as VF2PREP_CPU has it.
func (l level) String() string { return levelNames[l] }

// lanes is the number of blocks that the level's inverse DCT takes at a time.
func (l level) lanes() int { return 1 << l }

// inForce is the level of a Decoder that was not told otherwise: the best that the CPU has, or
// what VF2PREP_CPU asks for. Whether that could be followed is package pixel's to say.
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

// place returns where the coefficient k, row by row, of a group's first block is.
//
// The portable inverse DCT has them row by row. For the vectors of the others, which hold 8 words
// of each block of the group, the columns go in the order 2, 6, 7, 1, 3, 5, 0, 4. The rows come as
//
//	vector  0  row 0
//	        1  row 4
//	        2  rows 2 and 6, alternating, of the first four columns
//	        3  the same of the others
//	        4  rows 7 and 1 in the same way
//	        6  rows 3 and 5
func (l level) place(k int) int {
	if l == portable {
		return k
	}
	column := int([8]uint8{6, 3, 0, 4, 7, 5, 1, 2}[k%8])
	vector, word := 0, column
	switch row := k / 8; row {
	case 0:
	case 4:
		vector = 1
	default:
		pair := [8]int{1: 5, 2: 2, 3: 6, 5: 7, 6: 3, 7: 4}[row] // vector, and 1 for a second row
		vector, word = pair&^1+column/4, column%4*2+pair&1
	}
	return 8*l.lanes()*vector + word
}
