package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// dword is read-only memory of a vector's size, with one number over and over.
func dword(v uint32) Mem {
	return constant(fmt.Sprintf("dword%08x", v), func(int) Constant { return U32(v) })
}

// fdct is the forward DCT of fdct in encode_block.go. Words of 16 bits hold all but the sums of
// products: differences and sums of 8 samples, 4 times too large, are at most 1<<15.
func (v vector) fdct() {
	TEXT("fdct"+v.name, attr.NOSPLIT, "func(pix *uint8, stride int, out *byte, n int)")
	Doc(fmt.Sprintf("fdct%s is fdct for n blocks, a multiple of %d, that lie side by side.", v.name, v.blocks))
	Pragma("noescape")
	pix, stride := Load(Param("pix"), GP64()), Load(Param("stride"), GP64())
	out, n := Load(Param("out"), GP64()), Load(Param("n"), GP64())
	triple := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)

	Label("next")
	low := GP64()
	LEAQ(Mem{Base: pix, Index: stride, Scale: 4}, low)
	var r [8]VecVirtual
	for y := range r {
		base := pix
		if y >= 4 {
			base = low
		}
		m := Mem{Base: base}
		switch y % 4 {
		case 1, 2:
			m.Index, m.Scale = stride, uint8(y%4)
		case 3:
			m.Index, m.Scale = triple, 1
		}
		r[y] = v.op(VPMOVZXBW, m)
	}
	r = v.transpose(r)
	r = v.forward(r, 11)
	r = v.transpose(r)
	r = v.forward(r, 15)
	for y, x := range r {
		for b := range v.blocks {
			to := Mem{Base: out, Disp: 128*b + 16*y}
			switch {
			case b == 0:
				VMOVDQU(x.AsX(), to)
			case v.wide():
				VEXTRACTI32X4(Imm(uint64(b)), x, to)
			default:
				VEXTRACTI128(Imm(1), x, to)
			}
		}
	}
	ADDQ(Imm(uint64(8*v.blocks)), pix)
	ADDQ(U32(128*v.blocks), out)
	SUBQ(Imm(uint64(v.blocks)), n)
	JGT(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// transpose swaps rows and columns of 8x8 words in each lane: a step turns the six bits of a word's
// place, vector and word, left by one.
func (v vector) transpose(r [8]VecVirtual) [8]VecVirtual {
	for range 3 {
		var t [8]VecVirtual
		for i := range 4 {
			t[2*i], t[2*i+1] = v.op(VPUNPCKLWD, r[i+4], r[i]), v.op(VPUNPCKHWD, r[i+4], r[i])
		}
		r = t
	}
	return r
}

// forward is a pass of the forward DCT over the eight vectors. shift is 11 in the first pass, which
// has the level shift in it, and 15 in the second, which has the bias.
func (v vector) forward(x [8]VecVirtual, shift uint64) (o [8]VecVirtual) {
	var s, d [4]VecVirtual
	for i := range s {
		s[i], d[i] = v.op(VPADDW, x[7-i], x[i]), v.op(VPSUBW, x[7-i], x[i])
	}
	t0, t3 := v.op(VPADDW, s[3], s[0]), v.op(VPSUBW, s[3], s[0])
	t1, t2 := v.op(VPADDW, s[2], s[1]), v.op(VPSUBW, s[2], s[1])
	o[0], o[4] = v.op(VPADDW, t1, t0), v.op(VPSUBW, t1, t0)
	if shift == 11 {
		o[0] = v.op(VPSLLW, Imm(2), v.op(VPSUBW, words(1024, 1024), o[0]))
		o[4] = v.op(VPSLLW, Imm(2), o[4])
	} else {
		o[0] = v.op(VPADDW, words(1<<14, 1<<14), v.op(VPSRAW, Imm(2), v.op(VPADDW, words(2, 2), o[0])))
		o[4] = v.op(VPADDW, words(1<<14, 1<<14), v.op(VPSRAW, Imm(2), v.op(VPADDW, words(2, 2), o[4])))
	}
	// round returns sums of products, low and high, rounded, as words.
	round := func(sum [2]VecVirtual) VecVirtual {
		for i := range sum {
			sum[i] = v.op(VPSRAD, Imm(shift), v.op(VPADDD, dword(1<<(shift-1)), sum[i]))
		}
		w := v.op(VPACKSSDW, sum[1], sum[0])
		if shift == 15 {
			w = v.op(VPADDW, words(1<<14, 1<<14), w)
		}
		return w
	}
	pairs := func(a, b VecVirtual) [2]VecVirtual {
		return [2]VecVirtual{v.op(VPUNPCKLWD, b, a), v.op(VPUNPCKHWD, b, a)}
	}
	product := func(p [2]VecVirtual, a, b int16) [2]VecVirtual {
		return [2]VecVirtual{v.madd(p[0], a, b), v.madd(p[1], a, b)}
	}
	even := pairs(t2, t3)
	o[2] = round(product(even, fix0541, fix0541+fix0765))
	o[6] = round(product(even, fix0541-fix1847, fix0541))

	d01, d23 := pairs(d[0], d[1]), pairs(d[2], d[3])
	for _, f := range []struct {
		i          int
		a, b, c, d int16
	}{
		{7, fix1175 - fix0899, fix1175 - fix1961, fix1175, fix0298 - fix0899 + fix1175 - fix1961},
		{5, fix1175 - fix0390, fix1175 - fix2562, fix2053 - fix2562 + fix1175 - fix0390, fix1175},
		{3, fix1175, fix3072 - fix2562 + fix1175 - fix1961, fix1175 - fix2562, fix1175 - fix1961},
		{1, fix1501 - fix0899 + fix1175 - fix0390, fix1175, fix1175 - fix0390, fix1175 - fix0899},
	} {
		p, q := product(d01, f.a, f.b), product(d23, f.c, f.d)
		o[f.i] = round([2]VecVirtual{v.add(p[0], q[0]), v.add(p[1], q[1])})
	}
	return o
}

// colors converts 16 pixels at a time: weights are of 16 bits with a sign, so that of G in Y is
// divided in two, and the half of Cb and Cr is subtracted as -1<<15.
func colors() {
	v := vector{2, "AVX2"}
	TEXT("convert444AVX2", attr.NOSPLIT, "func(y, cb, cr, red, green, blue *uint8, n int)")
	Doc("convert444AVX2 is convert444 for n pixels, a multiple of 16.")
	Pragma("noescape")
	var p [6]Register
	for i, name := range []string{"y", "cb", "cr", "red", "green", "blue"} {
		p[i] = Load(Param(name), GP64())
	}
	n := Load(Param("n"), GP64())
	Label("more")
	r, g, b := v.op(VPMOVZXBW, Mem{Base: p[3]}), v.op(VPMOVZXBW, Mem{Base: p[4]}), v.op(VPMOVZXBW, Mem{Base: p[5]})
	rg := [2]VecVirtual{v.op(VPUNPCKLWD, g, r), v.op(VPUNPCKHWD, g, r)}
	bg := [2]VecVirtual{v.op(VPUNPCKLWD, g, b), v.op(VPUNPCKHWD, g, b)}
	for i, w := range [3][4]int16{{19595, 38470 - 16384, 7471, 16384}, {11059, 21709, -32768, 0}, {-32768, 27439, 5329, 0}} {
		var half [2]VecVirtual
		for j := range half {
			sum := v.add(v.madd(rg[j], w[0], w[1]), v.madd(bg[j], w[2], w[3]))
			if i == 0 {
				sum = v.add(sum, dword(1<<15))
			} else {
				most := v.reg()
				VMOVDQU(dword(128<<16+1<<15-1), most)
				sum = v.sub(most, sum)
			}
			half[j] = v.op(VPSRLD, Imm(16), sum)
		}
		words := v.op(VPACKUSDW, half[1], half[0])
		high := XMM()
		VEXTRACTI128(Imm(1), words, high)
		VPACKUSWB(high, words.AsX(), high)
		VMOVDQU(high, Mem{Base: p[i]})
	}
	for _, at := range p {
		ADDQ(Imm(16), at)
	}
	SUBQ(Imm(16), n)
	JGT(LabelRef("more"))
	VZEROUPPER()
	RET()
}
