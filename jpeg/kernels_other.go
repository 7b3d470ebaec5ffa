//go:build !amd64

package jpeg

// There is no assembly for this CPU: the level is always portable, and no kernel is called.

func best() level { return portable }

func fastIDCT(level, *group, []uint8, *[maxLanes]target) { panic("jpeg: no such kernel") }

func (b *bits) fastBlock(dc, ac *huffman, q *dequantizer, c *coefficients, pred *int32) int {
	panic("jpeg: no such kernel")
}

func (b *bits) fastSkip(dc, ac *huffman, pred *int32) int { panic("jpeg: no such kernel") }
