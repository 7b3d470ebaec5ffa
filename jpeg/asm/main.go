// Command asm writes the kernels of package jpeg. In jpeg, "go generate" runs it.
package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for _, v := range []vector{{2, "AVX2"}, {4, "AVX512"}} {
		v.idct()
		v.fdct()
	}
	colors()
	decodeBlocks()
	skipBlocks()
	Generate()
}

// vector is a width: a block for each of its lanes of 128 bits, and the suffix of its kernels.
type vector struct {
	blocks int
	name   string
}

func (v vector) wide() bool { return v.blocks == 4 }

func (v vector) bytes() int { return 16 * v.blocks }

func (v vector) reg() VecVirtual {
	if v.wide() {
		return ZMM()
	}
	return YMM()
}

// named holds the read-only memory by its name.
var named = map[string]Mem{}

// words is read-only memory of a vector's size, with two words over and over.
func words(a, b int16) Mem {
	return constant(fmt.Sprintf("words%04x%04x", uint16(a), uint16(b)), func(int) Constant { return U32(uint32(uint16(b))<<16 | uint32(uint16(a))) })
}

func constant(name string, at func(i int) Constant) Mem {
	m, ok := named[name]
	if !ok {
		m = GLOBL(name, attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(4*i, at(i))
		}
		named[name] = m
	}
	return m
}

func (v vector) load(m, r Op) {
	if v.wide() {
		VMOVDQU32(m, r)
	} else {
		VMOVDQU(m, r)
	}
}

func (v vector) store(r, m Op) {
	if v.wide() {
		VMOVDQU32(r, m)
	} else {
		VMOVDQU(r, m)
	}
}

// The following return a new register with the result.

func (v vector) op(f func(...Op), args ...Op) VecVirtual {
	r := v.reg()
	f(append(args, r)...)
	return r
}

func (v vector) madd(r VecVirtual, a, b int16) VecVirtual { return v.op(VPMADDWD, words(a, b), r) }
func (v vector) add(a, b Op) VecVirtual                   { return v.op(VPADDD, b, a) }
func (v vector) sub(a, b Op) VecVirtual                   { return v.op(VPSUBD, b, a) }

// The fractions of idct.go.
const (
	fix0298 = 2446
	fix0390 = 3196
	fix0541 = 4433
	fix0765 = 6270
	fix0899 = 7373
	fix1175 = 9633
	fix1501 = 12299
	fix1847 = 15137
	fix1961 = 16069
	fix2053 = 16819
	fix2562 = 20995
	fix3072 = 25172
)

// idct is the inverse DCT of idctWide. PMADDWD makes sums of two products with 32 bits of pairs of
// coefficients, which lie beside each other from the start: see layout in kernels_amd64.go. The
// first pass packs its results so that each of its outputs holds such pairs again.
func (v vector) idct() {
	TEXT("idct"+v.name, attr.NOSPLIT, "func(c *int16, pix *uint8, to *[4][2]int)")
	Doc(fmt.Sprintf("idct%s writes the samples of %d blocks to where to says, and clears their coefficients.", v.name, v.blocks))
	Pragma("noescape")
	c := Load(Param("c"), GP64())
	at := func(i int) Mem { return Mem{Base: c, Disp: i * v.bytes()} }

	row0 := v.reg()
	v.load(at(0), row0)
	v.beyond(row0)
	Label("fits")
	row4 := v.reg()
	v.load(at(1), row4)
	sum, difference := v.op(VPADDW, row4, row0), v.op(VPSUBW, row4, row0)
	one := words(1, 1)
	var in [2][4]VecVirtual // pairs 26, 71, 35, 04 of both halves
	for half, unpack := range []func(...Op){VPUNPCKLWD, VPUNPCKHWD} {
		var pair [3]VecVirtual
		for i := range pair {
			pair[i] = v.reg()
			v.load(at(2+2*i+half), pair[i])
		}
		// 1 << 10 is for rounding.
		t0 := v.madd(v.op(unpack, one, sum), 1<<13, 1<<10)
		t1 := v.madd(v.op(unpack, one, difference), 1<<13, 1<<10)
		o := v.butterfly(t0, t1, pair[0], pair[1], pair[2], 11)
		for rows := range 2 {
			p, q := v.op(VPACKSSDW, o[4*rows+1], o[4*rows]), v.op(VPACKSSDW, o[4*rows+3], o[4*rows+2])
			in[rows][2*half] = v.op(VSHUFPS, Imm(0x88), q, p)
			in[rows][2*half+1] = v.op(VSHUFPS, Imm(0xdd), q, p)
		}
	}

	zero := v.reg()
	if v.wide() {
		VPXORD(zero, zero, zero)
	} else {
		VPXOR(zero, zero, zero)
	}
	for i := range 8 {
		v.store(zero, at(i))
	}

	swap := constant("swap", func(i int) Constant { return U32(0x01000302 + 0x04040404*uint32(i%4)) })
	turn := constant("turn", func(i int) Constant { return U32(0x0c080400 + 0x01010101*uint32(i%4)) })
	half := constant("half", func(int) Constant { return U32(0x80808080) })
	round := constant("round", func(int) Constant { return U32(1 << 17) })
	var rows []VecVirtual // two each
	for _, pair := range in {
		// Sums of 16 bits: both words of one hold c0 + c4, those of the other c0 - c4 and c4 - c0.
		w := v.op(VPSHUFB, swap, pair[3])
		t0 := v.add(v.madd(v.op(VPADDW, w, pair[3]), 1<<13, 0), round)
		t1 := v.add(v.madd(v.op(VPSUBW, w, pair[3]), 1<<13, 0), round)
		o := v.butterfly(t0, t1, pair[0], pair[1], pair[2], 18)
		var q [2]VecVirtual
		for i := range q {
			q[i] = v.op(VPACKSSWB, v.op(VPACKSSDW, o[4*i+3], o[4*i+2]), v.op(VPACKSSDW, o[4*i+1], o[4*i]))
			q[i] = v.op(VPSHUFB, turn, v.op(VPADDB, half, q[i])) // four columns of four to rows
		}
		rows = append(rows, v.op(VPUNPCKLDQ, q[1], q[0]), v.op(VPUNPCKHDQ, q[1], q[0]))
	}

	pix := Load(Param("pix"), GP64())
	to := Load(Param("to"), GP64())
	for b := range v.blocks {
		p, stride := GP64(), GP64()
		MOVQ(Mem{Base: to, Disp: 16 * b}, p)
		MOVQ(Mem{Base: to, Disp: 16*b + 8}, stride)
		ADDQ(pix, p)
		for i, r := range rows {
			x := XMM()
			switch {
			case b == 0:
				x = r.AsX().(VecVirtual)
			case v.wide():
				VEXTRACTI32X4(Imm(uint64(b)), r, x)
			default:
				VEXTRACTI128(Imm(1), r, x)
			}
			VMOVQ(x, Mem{Base: p})
			VMOVHPS(x, Mem{Base: p, Index: stride, Scale: 1})
			if i < 3 {
				LEAQ(Mem{Base: p, Index: stride, Scale: 2}, p)
			}
		}
	}
	VZEROUPPER()
	RET()

	Label("large")
	v.drop(row0, at)
	JMP(LabelRef("fits"))
}

// butterfly returns the eight outputs of a pass, shifted.
func (v vector) butterfly(t0, t1, c26, c71, c35 VecVirtual, shift uint64) (o [8]VecVirtual) {
	t2 := v.madd(c26, fix0541, fix0541-fix1847)
	t3 := v.madd(c26, fix0541+fix0765, fix0541)
	e := [4]VecVirtual{v.add(t0, t3), v.add(t1, t2), v.sub(t1, t2), v.sub(t0, t3)}

	s := v.op(VPADDW, c35, c71) // c7 + c3, c1 + c5
	z3 := v.madd(s, fix1175-fix1961, fix1175)
	z4 := v.madd(s, fix1175, fix1175-fix0390)
	odd := [4]VecVirtual{
		v.add(v.madd(c71, -fix0899, fix1501-fix0899), z4),
		v.add(v.madd(c35, fix3072-fix2562, -fix2562), z3),
		v.add(v.madd(c35, -fix2562, fix2053-fix2562), z4),
		v.add(v.madd(c71, fix0298-fix0899, -fix0899), z3),
	}
	for i := range 4 {
		o[i] = v.op(VPSRAD, Imm(shift), v.add(e[i], odd[i]))
		o[7-i] = v.op(VPSRAD, Imm(shift), v.sub(e[i], odd[i]))
	}
	return o
}

// beyond jumps to large if a word of r needs more than 14 bits.
func (v vector) beyond(r VecVirtual) {
	t := v.op(VPSRAW, Imm(2), v.op(VPSLLW, Imm(2), r))
	if v.wide() {
		k := K()
		VPCMPW(Imm(4), r, t, k)
		KORTESTD(k, k)
	} else {
		VPXOR(r, t, t)
		VPTEST(t, t)
	}
	JNE(LabelRef("large"))
}

// drop leaves the low 14 bits of the words of the first row r, signed, in blocks that have no other
// rows, where the first pass doesn't saturate.
func (v vector) drop(r VecVirtual, at func(int) Mem) {
	any, t := v.reg(), v.reg()
	v.load(at(1), any)
	or := func(a, r Op) {
		if v.wide() {
			VPORD(a, r, r)
		} else {
			VPOR(a, r, r)
		}
	}
	for i := 2; i < 8; i++ {
		or(at(i), any)
	}
	VPSHUFD(Imm(0x4e), any, t)
	or(t, any)
	VPSLLW(Imm(2), r, t)
	VPSRAW(Imm(2), t, t)
	if v.wide() {
		k := K()
		VPTESTNMQ(any, any, k)
		VMOVDQA64(t, k, r)
		return
	}
	zero := v.reg()
	VPXOR(zero, zero, zero)
	VPCMPEQQ(zero, any, any)
	VPBLENDVB(any, t, r, r)
}
