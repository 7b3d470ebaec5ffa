package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// paeth is the filter of paeth.go for 32 bytes at a time, all in bytes: where a+b-c lies beyond both
// a and b its distance to c is the sum of the other two, which may be cut off at 255, since c is not the nearest then;
// else their difference.
func paeth() {
	TEXT("paethAVX2", attr.NOSPLIT, "func(dst, row, left, above, corner *uint8, n int)")
	Doc("paethAVX2 writes n bytes, at least 32.")
	Pragma("noescape")
	var p [5]Register
	for i, name := range []string{"dst", "row", "left", "above", "corner"} {
		p[i] = Load(Param(name), GP64())
	}
	n := Load(Param("n"), GP64())
	at := GP64()
	XORQ(at, at)
	SUBQ(Imm(32), n)

	load := func(i int) VecVirtual {
		r := YMM()
		VMOVDQU(Mem{Base: p[i], Index: at, Scale: 1}, r)
		return r
	}
	op := func(f func(...Op), args ...Op) VecVirtual {
		r := YMM()
		f(append(args, r)...)
		return r
	}
	xor := func(x, y VecVirtual) VecVirtual {
		r := YMM()
		VPXOR(y, x, r)
		return r
	}
	// blend is yes where the mask is set.
	blend := func(mask, yes, no VecVirtual) VecVirtual {
		r := YMM()
		VPBLENDVB(mask, yes, no, r)
		return r
	}
	Label("paeth")
	a, b, c := load(2), load(3), load(4)
	most := op(VPMAXUB, c, b)
	above := op(VPCMPEQB, most, b) // b >= c
	pa := op(VPSUBB, op(VPMINUB, c, b), most)
	most = op(VPMAXUB, c, a)
	left := op(VPCMPEQB, most, a)
	pb := op(VPSUBB, op(VPMINUB, c, a), most)
	apart := op(VPSUBB, op(VPMINUB, pb, pa), op(VPMAXUB, pb, pa))
	pc := blend(xor(above, left), apart, op(VPADDUSB, pb, pa))
	least := op(VPMINUB, pc, pb)
	guess := blend(op(VPCMPEQB, least, pb), b, c)
	guess = blend(op(VPCMPEQB, op(VPMINUB, least, pa), pa), a, guess)
	VMOVDQU(op(VPSUBB, guess, load(1)), Mem{Base: p[0], Index: at, Scale: 1})
	CMPQ(at, n)
	JGE(LabelRef("done"))
	ADDQ(Imm(32), at)
	CMPQ(at, n)
	CMOVQGT(n, at) // the last vector ends at the last byte
	JMP(LabelRef("paeth"))
	Label("done")
	VZEROUPPER()
	RET()
}
