package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The fields of package kernel's outerTile.
const (
	outerX = iota
	outerG
	outerSum
	outerXStep
	outerXRow
	outerGRow
	outerCols
	outerRows
	outerImages
	outerXImage
	outerGImage
)

// outers writes the micro-kernels of the gradient of weights: so many values of x, side by side,
// times a block of g, summed over pixels.
func outers(s isa) {
	counts := []int{16, 8, 4, 1}
	if !s.wide() {
		counts = []int{6, 4, 1}
	}
	for _, n := range counts {
		outer(s, n)
	}
}

func outer(s isa, values int) {
	TEXT(fmt.Sprintf("outer%s_%d", s.name, values), NOSPLIT, "func(t *uintptr)")
	Pragma("noescape")
	Doc(fmt.Sprintf("outer%s_%d sums the products of %d values and a block of channels.", s.name, values, values))
	t := Load(Param("t"), GP64())
	field := func(i int) Mem { return Mem{Base: t, Disp: 8 * i} }
	half := s.halves()
	acc := s.regs(values * half)
	for _, a := range acc {
		s.zero(a)
	}
	xRow, gRow, rows, step := GP64(), GP64(), GP64(), GP64()
	MOVQ(field(outerXStep), step)
	x, g, cols := GP64(), GP64(), GP64()
	one := s.reg()
	a, b := s.regs(half), s.regs(half)
	Label("image")
	MOVQ(field(outerX), xRow)
	MOVQ(field(outerG), gRow)
	MOVQ(field(outerRows), rows)
	Label("row")
	MOVQ(xRow, x)
	MOVQ(gRow, g)
	MOVQ(field(outerCols), cols)
	SUBQ(Imm(2), cols)
	JL(LabelRef("rest"))
	Label("two")
	for p := range 2 {
		v := a
		if p == 1 && s.wide() {
			v = b
		}
		for h := range v {
			VMOVUPS(Mem{Base: g, Disp: (p*half + h) * s.bytes()}, v[h])
		}
		for i := range values {
			m := Mem{Base: x, Disp: 4 * i}
			if p == 1 {
				m.Index, m.Scale = step, 1
			}
			if s.wide() {
				VFMADD231PS_BCST(m, v[0], acc[i])
				continue
			}
			VBROADCASTSS(m, one)
			for h := range v {
				VFMADD231PS(v[h], one, acc[i*half+h])
			}
		}
	}
	LEAQ(Mem{Base: x, Index: step, Scale: 2}, x)
	ADDQ(U32(2*4*block), g)
	SUBQ(Imm(2), cols)
	JGE(LabelRef("two"))
	Label("rest")
	ADDQ(Imm(2), cols)
	JZ(LabelRef("end"))
	for h := range a {
		VMOVUPS(Mem{Base: g, Disp: h * s.bytes()}, a[h])
	}
	for i := range values {
		VBROADCASTSS(Mem{Base: x, Disp: 4 * i}, one)
		for h := range a {
			VFMADD231PS(a[h], one, acc[i*half+h])
		}
	}
	Label("end")
	ADDQ(field(outerXRow), xRow)
	ADDQ(field(outerGRow), gRow)
	DECQ(rows)
	JNZ(LabelRef("row"))
	MOVQ(field(outerXImage), rows)
	ADDQ(rows, field(outerX))
	MOVQ(field(outerGImage), rows)
	ADDQ(rows, field(outerG))
	DECQ(field(outerImages))
	JNZ(LabelRef("image"))
	sum := GP64()
	MOVQ(field(outerSum), sum)
	for i, r := range acc {
		m := Mem{Base: sum, Disp: i * s.bytes()}
		VADDPS(m, r, r)
		VMOVUPS(r, m)
	}
	finish()
}
