//go:build !amd64

package jpeg

// There is no assembly for this CPU: the level is always portable, and no kernel is called.

func best() level { return portable }

const absent = "jpeg: no such kernel"

func (level) convert444(y, cb, cr, r, g, b []uint8, n int) { convert444(y, cb, cr, r, g, b, n) }

func (level) fdcts(pix []uint8, stride int, ws *workspace, out []forward, n int) {
	fdctRow(pix, stride, ws, out, n)
}

func fastIDCT(level, []int16, []uint8, *[maxLanes]target)        { panic(absent) }
func (b *bits) fastBlocks([]unitBlock, *group, *[maxMCU]int) int { panic(absent) }
func (b *bits) fastSkip([]unitBlock) int                         { panic(absent) }
