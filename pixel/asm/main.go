// Command asm writes the kernels of package pixel. In pixel, "go generate" runs it.
//
// Every kernel is written once for vectors of a width: 16 lanes of 32 bits with AVX-512 (F, BW,
// DQ, VL) or 8 with AVX2. A kernel makes at least one whole vector; where the count is no
// multiple, its last vector ends at the last value and repeats a few before.
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
	for _, v := range []vector{{8, "AVX2"}, {16, "AVX512"}} {
		v.affine(1)
		v.affine(2)
		v.row()
		v.columns()
		for _, stream := range []bool{false, true} {
			v.normalize(stream)
			v.normalizeFlipped(stream)
		}
	}
	rgb()
	paeth()
	Generate()
}

// Constants of the package that kernels know.
const (
	phaseBits = 5
	stepBits  = 16
	segment   = 256
	// weightBytes is the size of one word of weights in all phases.
	weightBytes = 4 << phaseBits
)

// vector is a width: its lanes of 32 bits, and the suffix of its kernels.
type vector struct {
	lanes int
	name  string
}

func (v vector) wide() bool { return v.lanes == 16 }

func (v vector) reg() VecVirtual {
	if v.wide() {
		return ZMM()
	}
	return YMM()
}

// half is a register of half the width.
func (v vector) half() VecVirtual {
	if v.wide() {
		return YMM()
	}
	return XMM()
}

// spread returns a vector with a word of memory in every lane.
func (v vector) spread(m Op) VecVirtual {
	r := v.reg()
	VPBROADCASTD(m, r)
	return r
}

// param returns a vector with the low 32 bits of a parameter in every lane.
func (v vector) param(name string) VecVirtual {
	from := GP32()
	MOVL(addr(name), from)
	r := v.reg()
	v.broadcast(from, r)
	return r
}

// constant returns a vector with the same 32 bits in every lane.
func (v vector) constant(bits uint32) VecVirtual { return v.spread(word(bits)) }

// named holds the read-only memory by its name.
var named = map[string]Mem{}

// word is read-only memory with these 32 bits.
func word(bits uint32) Mem {
	name := fmt.Sprintf("word%08x", bits)
	m, ok := named[name]
	if !ok {
		m = GLOBL(name, attr.RODATA|attr.NOPTR)
		DATA(0, U32(bits))
		named[name] = m
	}
	return m
}

// count returns a vector of 0, 1, 2 ...
func (v vector) count() VecVirtual {
	m, ok := named["count"]
	if !ok {
		m = GLOBL("count", attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(4*i, U32(i))
		}
		named["count"] = m
	}
	r := v.reg()
	v.load(m, r)
	return r
}

func (v vector) load(m, r Op) {
	if v.wide() {
		VMOVDQU32(m, r)
	} else {
		VMOVDQU(m, r)
	}
}

func (v vector) zero(r Op) {
	if v.wide() {
		VPXORD(r, r, r)
	} else {
		VPXOR(r, r, r)
	}
}

func (v vector) and(a, b, r Op) {
	if v.wide() {
		VPANDD(a, b, r)
	} else {
		VPAND(a, b, r)
	}
}

// gather fills r with the 32 bits at base + index of every lane. It must not be an index.
func (v vector) gather(base Register, disp int, index VecVirtual, scale uint8, r VecVirtual) {
	m := Mem{Base: base, Disp: disp, Index: index, Scale: scale}
	if v.wide() {
		KXNORW(K1, K1, K1)
		v.zero(r) // else it would wait for what r held
		VPGATHERDD(m, K1, r)
		return
	}
	mask := v.reg()
	VPCMPEQD(index, index, mask)
	v.zero(r)
	VPGATHERDD(mask, m, r)
}

// weights fills r with the weights of every lane's phase.
func (v vector) weights(table Register, phase, r VecVirtual) {
	if v.wide() {
		low := v.reg()
		v.load(Mem{Base: table}, low)
		VMOVDQA32(phase, r)
		VPERMI2D(Mem{Base: table, Disp: 64}, low, r)
		return
	}
	v.gather(table, 0, phase, 4, r)
}

// loop calls body for every group of lanes; i is its first column, and at n - lanes it ends.
func (v vector) loop(n GPVirtual, body func(i GPVirtual)) {
	last := GP64()
	MOVQ(n, last)
	SUBQ(Imm(uint64(v.lanes)), last)
	i := GP64()
	XORQ(i, i)
	Label("group")
	body(i)
	CMPQ(i, last)
	JGE(LabelRef("done"))
	ADDQ(Imm(uint64(v.lanes)), i)
	CMPQ(i, last)
	CMOVQGT(last, i)
	JMP(LabelRef("group"))
	Label("done")
	VZEROUPPER()
	RET()
}

// storeWords writes 32-bit lanes as 16 bits each to dst + 2 i.
func (v vector) storeWords(r VecVirtual, dst, i Register) {
	to := Mem{Base: dst, Index: i, Scale: 2}
	if v.wide() {
		h := v.half()
		VPMOVDW(r, h)
		VMOVDQU(h, to)
		return
	}
	VPACKSSDW(r, r, r)
	VPERMQ(Imm(0x08), r, r)
	VMOVDQU(r.AsX(), to)
}

// affine is sampler.fast, for one plane or two of the same shape, which share their weights.
//
// A row of the plane contributes, in each lane, v (w0 b0 + w1 b1 + w2 b2 + w3 b3) 256: PMADDUBSW
// makes two sums of 16 bits, PMADDWD multiplies both with v 256 and adds.
func (v vector) affine(planes int) {
	names := []string{"", "2"}[:planes]
	name := "affine" + []string{"", "Pair"}[planes-1] + v.name
	more := []string{"", ", dst2 *int16, pix2 *uint8"}[planes-1]
	TEXT(name, attr.NOSPLIT, "func(dst *int16, n int, pix *uint8, stride int, x, y, dx, dy int32, wx *uint32, groups int, wy *uint32, pairs int, shift, round uint32"+more+")")
	Doc(name + " writes n values a plane, each from a window of 4 groups by 2 pairs bytes.")
	Pragma("noescape")
	n := Load(Param("n"), GP64()).(GPVirtual)
	pix := Load(Param("pix"), GP64())
	stride := Load(Param("stride"), GP64())
	tableX := Load(Param("wx"), GP64())
	var beyond Register // from a byte of the first plane to that of the second
	if planes == 2 {
		beyond = Load(Param("pix2"), GP64())
		SUBQ(pix, beyond)
	}

	// Coordinates of the lanes at column 0.
	x0, y0 := v.reg(), v.reg()
	count := v.count()
	VPMULLD(v.param("dx"), count, x0)
	VPADDD(v.param("x"), x0, x0)
	VPMULLD(v.param("dy"), count, y0)
	VPADDD(v.param("y"), y0, y0)
	strides := v.reg()
	v.broadcast(stride.(GP).As32(), strides)
	round := v.param("round")
	shift := XMM()
	VMOVD(Load(Param("shift"), GP32()), shift)
	picks := []VecVirtual{v.pick(0), v.pick(1)}

	v.loop(n, func(i GPVirtual) {
		x, y, phaseX, phaseY, offset := v.reg(), v.reg(), v.reg(), v.reg(), v.reg()
		v.advance(i, addr("dx"), x0, x)
		v.advance(i, addr("dy"), y0, y)
		for _, c := range []struct{ at, phase VecVirtual }{{x, phaseX}, {y, phaseY}} {
			VPSLLD(Imm(32-stepBits), c.at, c.phase)
			VPSRLD(Imm(32-phaseBits), c.phase, c.phase)
			VPSRAD(Imm(stepBits), c.at, c.at)
		}
		VPMULLD(strides, y, offset)
		VPADDD(x, offset, offset)

		var sums []VecVirtual
		for range names {
			sum := v.reg()
			v.load(round, sum)
			sums = append(sums, sum)
		}
		wx, wy := v.reg(), v.reg()
		left, column, table := GP64(), GP64(), GP64()
		MOVQ(addr("groups"), left)
		MOVQ(pix, column)
		MOVQ(tableX, table)

		Label("columns")
		v.weights(table, phaseX, wx)
		row, words, pair := GP64(), GP64(), GP64()
		MOVQ(column, row)
		MOVQ(addr("wy"), words)
		MOVQ(addr("pairs"), pair)

		Label("rows")
		v.weights(words, phaseY, wy)
		twoRows := func() {
			for _, pick := range picks {
				for p, sum := range sums {
					from := row
					if p == 1 {
						from = GP64()
						LEAQ(Mem{Base: row, Index: beyond, Scale: 1}, from)
					}
					bytes, t := v.reg(), v.reg()
					v.gather(from, 0, offset, 1, bytes)
					VPMADDUBSW(wx, bytes, bytes)
					VPSHUFB(pick, wy, t)
					VPMADDWD(t, bytes, bytes)
					VPADDD(bytes, sum, sum)
				}
				ADDQ(stride, row)
			}
		}
		twoRows()
		DECQ(pair)
		JZ(LabelRef("rowsDone"))
		VPSRLD(Imm(16), wy, wy)
		twoRows()
		ADDQ(U32(weightBytes), words)
		DECQ(pair)
		JNZ(LabelRef("rows"))
		Label("rowsDone")

		ADDQ(Imm(4), column)
		ADDQ(U32(weightBytes), table)
		DECQ(left)
		JNZ(LabelRef("columns"))

		for p, sum := range sums {
			dst := GP64()
			MOVQ(addr("dst"+names[p]), dst)
			VPSRAD(shift, sum, sum)
			v.storeWords(sum, dst, i)
		}
	})
}

// pick returns the shuffle that takes byte i of each word twice, as the upper half of 16 bits.
func (v vector) pick(i int) VecVirtual {
	name := fmt.Sprintf("pick%d", i)
	m, ok := named[name]
	if !ok {
		m = GLOBL(name, attr.RODATA|attr.NOPTR)
		for at := range 16 {
			from := 0x80 // zero
			if at%2 == 1 {
				from = at/4*4 + i
			}
			DATA(at, U8(from))
		}
		named[name] = m
	}
	r := v.reg()
	if v.wide() {
		VBROADCASTI32X4(m, r)
	} else {
		VBROADCASTI128(m, r)
	}
	return r
}

// advance sets c to start + i d.
func (v vector) advance(i GPVirtual, d Mem, start, c VecVirtual) {
	by := GP32()
	MOVL(d, by)
	IMULL(i.As32(), by)
	v.broadcast(by, c)
	VPADDD(start, c, c)
}

func (v vector) broadcast(from Register, r VecVirtual) {
	if v.wide() {
		VPBROADCASTD(from, r)
		return
	}
	x := XMM()
	VMOVD(from, x)
	VPBROADCASTD(x, r)
}

// addr is the memory of a parameter.
func addr(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// row is one row of fastRow: sums of weighted bytes at given offsets of one row.
func (v vector) row() {
	TEXT("row"+v.name, attr.NOSPLIT, "func(dst *int32, n int, row *uint8, at *int32, weights *uint32, groups int)")
	Doc("row" + v.name + " writes n sums of 4 groups weighted bytes from at on.")
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	n := Load(Param("n"), GP64()).(GPVirtual)
	row := Load(Param("row"), GP64())
	at := Load(Param("at"), GP64())
	weights := Load(Param("weights"), GP64())
	groups := Load(Param("groups"), GP64())
	ones := v.constant(0x00010001)
	v.loop(n, func(i GPVirtual) {
		offset, sum, bytes := v.reg(), v.reg(), v.reg()
		v.load(Mem{Base: at, Index: i, Scale: 4}, offset)
		v.zero(sum)
		left, from, word := GP64(), GP64(), GP64()
		MOVQ(groups, left)
		MOVQ(row, from)
		LEAQ(Mem{Base: weights, Index: i, Scale: 4}, word)
		Label("columns")
		v.gather(from, 0, offset, 1, bytes)
		VPMADDUBSW(Mem{Base: word}, bytes, bytes)
		VPMADDWD(ones, bytes, bytes)
		VPADDD(bytes, sum, sum)
		ADDQ(Imm(4), from)
		ADDQ(U32(4*segment), word)
		DECQ(left)
		JNZ(LabelRef("columns"))
		v.store(sum, Mem{Base: dst, Index: i, Scale: 4})
	})
}

func (v vector) store(r VecVirtual, m Mem) {
	if v.wide() {
		VMOVDQU32(r, m)
	} else {
		VMOVDQU(r, m)
	}
}

// columns is fastColumns: weighted sums of rows.
func (v vector) columns() {
	TEXT("columns"+v.name, attr.NOSPLIT, fmt.Sprintf("func(dst *int16, n int, rows **[%d]int32, weights *int32, taps int, shift, round uint32)", segment))
	Doc("columns" + v.name + " writes n values, each a weighted sum over the rows.")
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	n := Load(Param("n"), GP64()).(GPVirtual)
	rows := Load(Param("rows"), GP64())
	weights := Load(Param("weights"), GP64())
	taps := Load(Param("taps"), GP64())
	round := v.param("round")
	shift := XMM()
	VMOVD(Load(Param("shift"), GP32()), shift)
	v.loop(n, func(i GPVirtual) {
		sum, product := v.reg(), v.reg()
		v.load(round, sum)
		j, row := GP64(), GP64()
		XORQ(j, j)
		Label("rows")
		MOVQ(Mem{Base: rows, Index: j, Scale: 8}, row)
		VPBROADCASTD(Mem{Base: weights, Index: j, Scale: 4}, product)
		VPMULLD(Mem{Base: row, Index: i, Scale: 4}, product, product)
		VPADDD(product, sum, sum)
		INCQ(j)
		CMPQ(j, taps)
		JLT(LabelRef("rows"))
		VPSRAD(shift, sum, sum)
		v.storeWords(sum, dst, i)
	})
}

// float converts bytes in 32-bit lanes to (2 x - 255)/255. The quotient is that of a division:
// its product with 1/255 is put right by what is left over (P. Markstein, "Computation of
// elementary functions on the IBM RISC System/6000 processor", IBM J. R&D 34(1), 1990).
func (v vector) float(r, t VecVirtual, k [3]VecVirtual) {
	VPADDD(r, r, r)
	VPSUBD(k[0], r, r)
	VCVTDQ2PS(r, r)
	VMULPS(k[1], r, t)
	VFNMADD231PS(k[2], t, r) // r -= 255 t
	VFMADD231PS(k[1], r, t)  // t += r/255
}

func (v vector) floatConstants() [3]VecVirtual {
	return [3]VecVirtual{v.constant(255), v.constant(0x3b808081), v.constant(0x437f0000)}
}

// storeFloats writes a vector; as a stream it goes past the caches to an aligned place.
func (v vector) storeFloats(r VecVirtual, m Mem, stream bool) {
	if stream {
		VMOVNTPS(r, m)
		return
	}
	VMOVUPS(r, m)
}

// aheadBytes is how far ahead of its use a row is asked for. The hardware's own prefetch begins
// anew in each page of memory, nine times in a sample of 3x112x112. 1 to 4 KiB do equally well.
const aheadBytes = 2048

// rows calls body for every group of lanes of every row; to and from are the row's first value
// and byte, i the group's column. prepare, if any, comes once, before.
func (v vector) rows(name, doc string, stream bool, prepare func(from, w GPVirtual), body func(to, from, i GPVirtual, k [3]VecVirtual)) {
	if stream {
		name += "Stream"
		doc += " It writes past the caches: dst and w are multiples of a vector."
	}
	name += v.name
	TEXT(name, attr.NOSPLIT, "func(dst *float32, src *uint8, w, n, stride int, next *uint8)")
	Doc(name + " " + doc)
	Pragma("noescape")
	to := Load(Param("dst"), GP64()).(GPVirtual)
	from := Load(Param("src"), GP64()).(GPVirtual)
	w := Load(Param("w"), GP64()).(GPVirtual)
	n := Load(Param("n"), GP64()).(GPVirtual)
	stride := Load(Param("stride"), GP64()).(GPVirtual)
	// Where the rows end, the bytes that are asked for go on with those at next, if any.
	next := Load(Param("next"), GP64()).(GPVirtual)
	end, jump, zero := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: n, Disp: -1}, end)
	IMULQ(stride, end)
	ADDQ(from, end)
	ADDQ(w, end)
	MOVQ(next, jump)
	SUBQ(end, jump)
	XORQ(zero, zero)
	TESTQ(next, next)
	CMOVQEQ(zero, jump)
	k := v.floatConstants()
	last := GP64()
	MOVQ(w, last)
	SUBQ(Imm(uint64(v.lanes)), last)
	if prepare != nil {
		prepare(from, w)
	}
	i := GP64()
	Label("row")
	XORQ(i, i)
	Label("group")
	near, far := GP64(), GP64()
	LEAQ(Mem{Base: from, Index: i, Scale: 1, Disp: aheadBytes}, near)
	LEAQ(Mem{Base: near, Index: jump, Scale: 1}, far)
	CMPQ(near, end)
	CMOVQCC(far, near) // not below
	PREFETCHT0(Mem{Base: near})
	body(to, from, i, k)
	CMPQ(i, last)
	JGE(LabelRef("next"))
	ADDQ(Imm(uint64(v.lanes)), i)
	CMPQ(i, last)
	CMOVQGT(last, i)
	JMP(LabelRef("group"))
	Label("next")
	LEAQ(Mem{Base: to, Index: w, Scale: 4}, to)
	ADDQ(stride, from)
	DECQ(n)
	JNZ(LabelRef("row"))
	if stream {
		SFENCE() // streams are weakly ordered, and another thread may read them
	}
	VZEROUPPER()
	RET()
}

// normalize is fastRows.
func (v vector) normalize(stream bool) {
	v.rows("normalize", "writes x/127.5 - 1 of n rows of w bytes.", stream, nil, func(to, from, i GPVirtual, k [3]VecVirtual) {
		r, t := v.reg(), v.reg()
		VPMOVZXBD(Mem{Base: from, Index: i, Scale: 1}, r)
		v.float(r, t, k)
		v.storeFloats(t, Mem{Base: to, Index: i, Scale: 4}, stream)
	})
}

// normalizeFlipped is fastRows with flip.
func (v vector) normalizeFlipped(stream bool) {
	backwards, ok := named["backwards"]
	if !ok {
		backwards = GLOBL("backwards", attr.RODATA|attr.NOPTR)
		for i := range 16 {
			DATA(i, U8(15-i))
		}
		named["backwards"] = backwards
	}
	var turn VecVirtual
	prepare := func(from, w GPVirtual) {
		turn = XMM()
		if v.wide() {
			VMOVDQU(backwards, turn)
		} else {
			VMOVQ(backwards.Offset(8), turn) // 7 .. 0
		}
		LEAQ(Mem{Base: from, Index: w, Scale: 1, Disp: -v.lanes}, from) // the group to begin with
	}
	doc := "writes x/127.5 - 1 of n rows of w bytes, each from its last to its first."
	v.rows("normalizeFlipped", doc, stream, prepare, func(to, from, i GPVirtual, k [3]VecVirtual) {
		at := GP64()
		MOVQ(from, at)
		SUBQ(i, at)
		bytes := XMM()
		if v.wide() {
			VMOVDQU(Mem{Base: at}, bytes)
		} else {
			VMOVQ(Mem{Base: at}, bytes)
		}
		VPSHUFB(turn, bytes, bytes)
		r, t := v.reg(), v.reg()
		VPMOVZXBD(bytes, r)
		v.float(r, t, k)
		v.storeFloats(t, Mem{Base: to, Index: i, Scale: 4}, stream)
	})
}

// rgb is fastRGB, 16 values at a time. It has AVX2 alone: a wider one would save 1/30 of a warp.
// The constants are those of color.go.
func rgb() {
	TEXT("rgbAVX2", attr.NOSPLIT, "func(red, green, blue *uint8, n int, y, cb, cr *int16)")
	Doc("rgbAVX2 converts n values, at least 16, to bytes.")
	Pragma("noescape")
	var out [3]Register
	for i, name := range []string{"red", "green", "blue"} {
		out[i] = Load(Param(name), GP64())
	}
	n := Load(Param("n"), GP64()).(GPVirtual)
	var in [3]Register
	for i, name := range []string{"y", "cb", "cr"} {
		in[i] = Load(Param(name), GP64())
	}
	v := vector{lanes: 8}
	twice := func(k int16) VecVirtual { return v.constant(uint32(uint16(k))<<16 | uint32(uint16(k))) }
	half, round := twice(128<<6), twice(1<<5)
	redCr, greenCb, greenCr, blueCb := twice(13173), twice(-11277), twice(-23401), twice(25297)
	vector{lanes: 16}.loop(n, func(i GPVirtual) {
		y, u, w, t := YMM(), YMM(), YMM(), YMM()
		VMOVDQU(Mem{Base: in[0], Index: i, Scale: 2}, y)
		VMOVDQU(Mem{Base: in[1], Index: i, Scale: 2}, u)
		VMOVDQU(Mem{Base: in[2], Index: i, Scale: 2}, w)
		VPADDW(round, y, y)
		VPSUBW(half, u, u)
		VPSUBW(half, w, w)
		r, g, b := YMM(), YMM(), YMM()
		VPMULHRSW(redCr, w, r)
		VPADDW(w, r, r)
		VPMULHRSW(greenCr, w, g)
		VPMULHRSW(greenCb, u, t)
		VPADDW(t, g, g)
		VPMULHRSW(blueCb, u, b)
		VPADDW(u, b, b)
		for c, q := range []VecVirtual{r, g, b} {
			VPADDSW(y, q, q)
			VPSRAW(Imm(6), q, q)
			VPACKUSWB(q, q, q)
			VPERMQ(Imm(0x08), q, q)
			VMOVDQU(q.AsX(), Mem{Base: out[c], Index: i, Scale: 1})
		}
	})
}
