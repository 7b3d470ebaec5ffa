package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// linear writes the inner loops of fully connected layers, which go along n blocks of 16 numbers
// of four rows of weights and of one or several samples. Distances are in bytes.
func linear(s isa) {
	several := 4
	if !s.wide() {
		several = 2
	}
	for _, samples := range []int{several, 1} {
		dot(s, samples)
		combine(s, samples)
	}
	spread(s)
}

const rows = 4

// far returns where row i is, rows apart by ld, three times which is ld3.
func far(base, ld, ld3 reg.Register, i int) Mem {
	switch i {
	case 0:
		return Mem{Base: base}
	case 1:
		return Mem{Base: base, Index: ld, Scale: 1}
	case 2:
		return Mem{Base: base, Index: ld, Scale: 2}
	}
	return Mem{Base: base, Index: ld3, Scale: 1}
}

func thrice(ld reg.Register) reg.Register {
	r := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, r)
	return r
}

// ahead is where the four rows after those of w begin. Their lines are asked for while the ones
// before are at work: rows are short for what fetches them by itself.
func ahead(w run, ldw reg.Register) run {
	next := GP64()
	LEAQ(Mem{Base: w.p, Index: ldw, Scale: 4}, next)
	return run{next}
}

// dot writes out[sample][4] = the products of x's rows with four rows of w, summed.
func dot(s isa, samples int) {
	name := fmt.Sprintf("dot%d_", samples)
	s.text(name, "x, w, out *float32, ldx, ldw uintptr", fmt.Sprintf("sums the products of %d rows of x with four of w.", samples))
	x, w, ldx, ldw := pointer("x"), pointer("w"), gp("ldx"), gp("ldw")
	ldx3, ldw3 := thrice(ldx), thrice(ldw)
	next := ahead(w, ldw)
	acc := s.regs(samples * rows)
	for _, a := range acc {
		s.zero(a)
	}
	wv, xv := s.regs(rows), s.reg()
	s.loop([]run{x, w, next}, func(h int, _ func(run) Mem) {
		for r := range rows {
			if h == 0 {
				PREFETCHT0(far(next.p, ldw, ldw3, r))
			}
			VMOVUPS(far(w.p, ldw, ldw3, r).Offset(h*s.bytes()), wv[r])
		}
		for b := range samples {
			VMOVUPS(far(x.p, ldx, ldx3, b).Offset(h*s.bytes()), xv)
			for r := range rows {
				VFMADD231PS(wv[r], xv, acc[b*rows+r])
			}
		}
	})
	out := gp("out")
	for b := range samples {
		var half [rows]reg.Register // eight lanes each
		for r := range rows {
			a := acc[b*rows+r]
			half[r] = a.AsY()
			if s.wide() {
				high := YMM()
				VEXTRACTF64X4(Imm(1), a, high)
				VADDPS(high, a.AsY(), a.AsY())
			}
		}
		VHADDPS(half[1], half[0], half[0])
		VHADDPS(half[3], half[2], half[2])
		VHADDPS(half[2], half[0], half[0])
		high := XMM()
		VEXTRACTF128(Imm(1), half[0], high)
		low := acc[b*rows].AsX()
		VADDPS(high, low, low)
		VMOVUPS(low, Mem{Base: out, Disp: 16 * b})
	}
	finish()
}

// combine adds to each sample's y four rows of w, times c[sample][4].
func combine(s isa, samples int) {
	name := fmt.Sprintf("combine%d_", samples)
	s.text(name, "y, w, c *float32, ldy, ldw uintptr", fmt.Sprintf("adds to each of %d rows of y four rows of w, each times its number of c.", samples))
	y, w, ldy, ldw := pointer("y"), pointer("w"), gp("ldy"), gp("ldw")
	ldy3, ldw3 := thrice(ldy), thrice(ldw)
	next := ahead(w, ldw)
	c := gp("c")
	factors := s.regs(samples * rows)
	for i, f := range factors {
		VBROADCASTSS(Mem{Base: c, Disp: 4 * i}, f)
	}
	wv, yv := s.regs(rows), s.reg()
	s.loop([]run{y, w, next}, func(h int, _ func(run) Mem) {
		for r := range rows {
			if h == 0 {
				PREFETCHT0(far(next.p, ldw, ldw3, r))
			}
			VMOVUPS(far(w.p, ldw, ldw3, r).Offset(h*s.bytes()), wv[r])
		}
		for b := range samples {
			at := far(y.p, ldy, ldy3, b).Offset(h * s.bytes())
			VMOVUPS(at, yv)
			for r := range rows {
				VFMADD231PS(wv[r], factors[b*rows+r], yv)
			}
			VMOVUPS(yv, at)
		}
	})
	finish()
}

// spread writes four rows of dw: the samples' rows of x, each times c[sample][4], summed.
func spread(s isa) {
	s.text("spread", "x, c, dw *float32, samples int, ldx, ldw uintptr", "writes to four rows of dw the rows of x, each times its number of c, summed.")
	x, dw, ldx, ldw := pointer("x"), pointer("dw"), gp("ldx"), gp("ldw")
	ldw3 := thrice(ldw)
	acc, xv, one := s.regs(rows*s.halves()), s.regs(s.halves()), s.reg()
	from, c, samples, n := GP64(), GP64(), GP64(), gp("n")
	Label("loop")
	for _, a := range acc {
		s.zero(a)
	}
	MOVQ(x.p, from)
	Load(Param("c"), c)
	Load(Param("samples"), samples)
	Label("sample")
	for h := range xv {
		VMOVUPS(Mem{Base: from, Disp: h * s.bytes()}, xv[h])
	}
	for r := range rows {
		VBROADCASTSS(Mem{Base: c, Disp: 4 * r}, one)
		for h := range xv {
			VFMADD231PS(xv[h], one, acc[r*s.halves()+h])
		}
	}
	ADDQ(ldx, from)
	ADDQ(Imm(4*rows), c)
	DECQ(samples)
	JNZ(LabelRef("sample"))
	for r := range rows {
		for h := range xv {
			VMOVUPS(acc[r*s.halves()+h], far(dw.p, ldw, ldw3, r).Offset(h*s.bytes()))
		}
	}
	ADDQ(Imm(4*block), x.p)
	ADDQ(Imm(4*block), dw.p)
	DECQ(n)
	JNZ(LabelRef("loop"))
	finish()
}
