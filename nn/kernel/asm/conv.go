package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The fields of package kernel's tile, 8 bytes each.
const (
	tileX = iota
	tileW
	tileY
	tileBias
	tileXStep
	tileXRow
	tileXPlane
	tileBlocks
	tileRows
	tileRun
	tileYStep
	tileYBlock
	tileFlags
)

// Bits of tileFlags.
const (
	flagReLU = 1
	flagAdd  = 2
)

// convolutions writes the micro-kernels: so many windows times so many registers of channels.
// The sums of a tile stay in registers. A multiply-add takes four cycles and up to two begin in
// each, so eight sums keep the unit busy; more spare loads, since each value is used by all
// registers of channels and each weight by all windows.
func convolutions(s isa) {
	if s.wide() {
		for _, u := range []int{28, 14, 7, 4, 2, 1} {
			conv(s, u, 1)
		}
		for _, u := range []int{14, 7, 4, 2, 1} {
			conv(s, u, 2)
		}
		return
	}
	for _, u := range []int{6, 4, 2, 1} {
		conv(s, u, 2)
	}
}

// near is how many windows are reached from one pointer.
const near = 14

func conv(s isa, windows, vectors int) {
	channels := vectors * s.width
	TEXT(fmt.Sprintf("conv%s_%dx%d", s.name, windows, channels), NOSPLIT, "func(t *uintptr)")
	Pragma("noescape")
	Doc(fmt.Sprintf("conv%s_%dx%d computes %d windows of %d channels.", s.name, windows, channels, windows, channels))
	t := Load(Param("t"), GP64())
	field := func(i int) Mem { return Mem{Base: t, Disp: 8 * i} }
	acc := s.regs(windows * vectors) // [vector][window]

	yStep, flags := GP64(), GP64()
	MOVQ(field(tileYStep), yStep)
	MOVQ(field(tileFlags), flags)
	TESTQ(U32(flagAdd), flags)
	JNZ(LabelRef("add"))
	bias := GP64()
	MOVQ(field(tileBias), bias)
	for o := range vectors {
		VMOVUPS(Mem{Base: bias, Disp: o * s.bytes()}, acc[o*windows])
		for u := 1; u < windows; u++ {
			VMOVAPS(acc[o*windows], acc[o*windows+u])
		}
	}
	JMP(LabelRef("begin"))
	Label("add")
	eachOutput(s, field, yStep, windows, vectors, func(i int, m Mem) { VMOVUPS(m, acc[i]) })
	Label("begin")

	// steps[k] is k times the step, for odd k; others are these, scaled.
	steps := map[int]reg.GPVirtual{}
	step := func(k int) reg.GPVirtual {
		if steps[k] == nil {
			steps[k] = GP64()
		}
		return steps[k]
	}
	MOVQ(field(tileXStep), step(1))
	for _, l := range []struct{ k, index, scale int }{{3, 1, 2}, {5, 1, 4}, {7, 3, 2}, {9, 1, 8}, {11, 5, 2}, {13, 3, 4}} {
		if l.k < min(windows, near) || l.k == 3 && windows > 6 {
			LEAQ(Mem{Base: step(1), Index: step(l.index), Scale: uint8(l.scale)}, step(l.k))
		}
	}
	x, far, row, w, rows, left := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	at := func(u int) Mem {
		m := Mem{Base: x}
		if u >= near {
			m.Base, u = far, u-near
		}
		scale := 1
		for u > 0 && u%2 == 0 {
			u, scale = u/2, scale*2
		}
		if u > 0 {
			m.Index, m.Scale = step(u), uint8(scale)
		}
		return m
	}
	spare := s.regs(vectors)
	var one []reg.VecVirtual
	if vectors > 1 {
		one = s.regs(2)
	}
	channel := func(i int) {
		for o := range spare {
			VMOVUPS(Mem{Base: w, Disp: (i*vectors + o) * s.bytes()}, spare[o])
		}
		for u := range windows {
			m := at(u).Offset(4 * i)
			if vectors == 1 {
				VFMADD231PS_BCST(m, spare[0], acc[u])
				continue
			}
			VBROADCASTSS(m, one[u%2])
			for o := range spare {
				VFMADD231PS(spare[o], one[u%2], acc[o*windows+u])
			}
		}
	}
	advance := func(n int) {
		ADDQ(Imm(uint64(4*n)), x)
		if windows > near {
			ADDQ(Imm(uint64(4*n)), far)
		}
		ADDQ(U32(uint32(n*vectors*s.bytes())), w)
	}
	MOVQ(field(tileW), w)
	Label("block")
	MOVQ(field(tileX), row)
	MOVQ(field(tileRows), rows)
	Label("row")
	MOVQ(row, x)
	if windows > near {
		LEAQ(Mem{Base: x, Index: step(7), Scale: 2}, far)
	}
	MOVQ(field(tileRun), left)
	SUBQ(Imm(4), left)
	JL(LabelRef("rest"))
	Label("four")
	for i := range 4 {
		channel(i)
	}
	advance(4)
	SUBQ(Imm(4), left)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(Imm(4), left)
	JZ(LabelRef("end"))
	Label("one")
	channel(0)
	advance(1)
	DECQ(left)
	JNZ(LabelRef("one"))
	Label("end")
	ADDQ(field(tileXRow), row)
	DECQ(rows)
	JNZ(LabelRef("row"))
	MOVQ(field(tileXPlane), rows)
	ADDQ(rows, field(tileX))
	DECQ(field(tileBlocks))
	JNZ(LabelRef("block"))

	yStep, flags = GP64(), GP64()
	MOVQ(field(tileYStep), yStep)
	MOVQ(field(tileFlags), flags)
	TESTQ(U32(flagReLU), flags)
	JZ(LabelRef("store"))
	s.zero(spare[0])
	for _, a := range acc {
		VMAXPS(a, spare[0], a) // NaN stays NaN
	}
	Label("store")
	eachOutput(s, field, yStep, windows, vectors, func(i int, m Mem) { VMOVUPS(acc[i], m) })
	finish()
}

// eachOutput calls f with the number of each sum and where it belongs.
func eachOutput(s isa, field func(int) Mem, step reg.GPVirtual, windows, vectors int, f func(i int, m Mem)) {
	y, second := GP64(), GP64()
	MOVQ(field(tileY), y)
	if s.wide() && vectors > 1 {
		MOVQ(field(tileYBlock), second)
		ADDQ(y, second)
	}
	for u := range windows {
		for o := range vectors {
			m := Mem{Base: y, Disp: o * s.bytes()}
			if s.wide() && o > 0 {
				m = Mem{Base: second}
			}
			f(o*windows+u, m)
		}
		if u+1 < windows {
			ADDQ(step, y)
			if s.wide() && vectors > 1 {
				ADDQ(step, second)
			}
		}
	}
}
