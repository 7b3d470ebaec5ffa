//go:build !amd64

package kernel

func correlateFast([]float32, int, int, int, int, int, int, [][lanes]float32, [][lanes]float32) bool {
	return false
}

func outerFast([]float32, int, []float32, int, int, [][lanes]float32) bool { return false }
