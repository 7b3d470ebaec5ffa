package eval

import (
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
)

// writeHardest lists the pairs that a report shows as pictures, the hardest of each kind first.
func writeHardest(dir string, genuine, impostor []Hard) error {
	return atomicfile.CSV(filepath.Join(dir, "hardest.csv"), []string{"a", "b", "same", "distance"}, len(genuine)+len(impostor), func(i int) []string {
		h, same := Hard{}, "1"
		if i < len(genuine) {
			h = genuine[i]
		} else {
			h, same = impostor[i-len(genuine)], "0"
		}
		return []string{h.A, h.B, same, exact(h.Distance)}
	})
}
