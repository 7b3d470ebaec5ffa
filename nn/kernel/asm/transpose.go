package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose writes column j of 16 rows of 16 numbers to where the j-th offset says; the rows come from
// where other offsets say. Offsets are in bytes.
func transpose(s isa) {
	TEXT("transpose"+s.name, NOSPLIT, "func(src *float32, from *int, dst *float32, to *int)")
	Pragma("noescape")
	Doc("transpose" + s.name + " writes 16 numbers of each of 16 rows as 16 rows.")
	src, from, dst, to := gp("src"), gp("from"), gp("dst"), gp("to")
	at := GP64()
	r, t := s.regs(16), s.regs(16)
	for i := range r {
		MOVQ(Mem{Base: from, Disp: 8 * i}, at)
		VMOVUPS(Mem{Base: src, Index: at, Scale: 1}, r[i])
	}
	for i := 0; i < 16; i += 2 { // pairs of rows
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 16; i += 4 { // r[i+k] is columns k, k+4, k+8, k+12 of rows i to i+3
		VUNPCKLPD(t[i+2], t[i], r[i])
		VUNPCKHPD(t[i+2], t[i], r[i+1])
		VUNPCKLPD(t[i+3], t[i+1], r[i+2])
		VUNPCKHPD(t[i+3], t[i+1], r[i+3])
	}
	const even, odd = 0x88, 0xdd // quarters of a register
	for k := range 4 {
		for i := 0; i < 16; i += 8 {
			VSHUFF32X4(Imm(even), r[i+k+4], r[i+k], t[i+k])
			VSHUFF32X4(Imm(odd), r[i+k+4], r[i+k], t[i+k+4])
		}
	}
	var out [16]reg.VecVirtual
	for k := range 4 {
		VSHUFF32X4(Imm(even), t[k+8], t[k], r[k])
		VSHUFF32X4(Imm(odd), t[k+8], t[k], r[k+8])
		VSHUFF32X4(Imm(even), t[k+12], t[k+4], r[k+4])
		VSHUFF32X4(Imm(odd), t[k+12], t[k+4], r[k+12])
		out[k], out[k+4], out[k+8], out[k+12] = r[k], r[k+4], r[k+8], r[k+12]
	}
	for j, v := range out {
		MOVQ(Mem{Base: to, Disp: 8 * j}, at)
		VMOVUPS(v, Mem{Base: dst, Index: at, Scale: 1})
	}
	finish()
}
