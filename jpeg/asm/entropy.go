package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Constants of the package that kernels know, and where its structs have their fields; a
// declaration in kernels_amd64.go holds the latter against the structs.
const (
	lutBits   = 10
	restBits  = 16 - lutBits
	entryPart = 1 << 7
	entryZero = 1 << 13

	faultCode  = -1
	faultRange = -2

	huffmanSkip     = 4 << lutBits
	huffmanTogether = huffmanSkip + 2<<lutBits
	huffmanRest     = huffmanTogether + 8

	// Fields of a unitBlock, and its size.
	blockDC    = 0
	blockAC    = 8
	blockQ     = 16
	blockPred  = 24
	blockBytes = 32

	bitsN    = 8
	bitsPos  = 16
	bitsData = 24
)

// reader is the state of a bits in registers.
type reader struct {
	from Register // the bits
	buf  GPVirtual
	n    GPVirtual
	next GPVirtual // address of the next byte
}

func load() *reader {
	r := &reader{Load(Param("b"), GP64()), GP64(), GP64(), GP64()}
	MOVQ(Mem{Base: r.from}, r.buf)
	MOVQ(Mem{Base: r.from, Disp: bitsN}, r.n)
	MOVQ(Mem{Base: r.from, Disp: bitsPos}, r.next)
	ADDQ(Mem{Base: r.from, Disp: bitsData}, r.next)
	return r
}

func (r *reader) save() {
	MOVQ(r.buf, Mem{Base: r.from})
	MOVQ(r.n, Mem{Base: r.from, Disp: bitsN})
	SUBQ(Mem{Base: r.from, Disp: bitsData}, r.next)
	MOVQ(r.next, Mem{Base: r.from, Disp: bitsPos})
}

// refill leaves 56 to 63 bits.
func (r *reader) refill() {
	t := GP64()
	MOVQ(Mem{Base: r.next}, t)
	BSWAPQ(t)
	SHRXQ(r.n, t, t)
	ORQ(t, r.buf)
	MOVL(U32(63), t.As32())
	SUBL(r.n.As32(), t.As32())
	SHRL(Imm(3), t.As32())
	ADDQ(t, r.next)
	ORL(Imm(56), r.n.As32())
}

// drop takes away as many bits as the low 6 of e say.
func (r *reader) drop(e GPVirtual) {
	SHLXQ(e, r.buf, r.buf)
	ANDL(Imm(63), e.As32())
	SUBL(e.As32(), r.n.As32())
}

// index returns the top bits.
func (r *reader) index() GPVirtual {
	i := GP64()
	MOVQ(r.buf, i)
	SHRQ(Imm(64-lutBits), i)
	return i
}

// symbol takes a code and its value, after a refill, where neither need be in the table; v is the
// value, e the entry. The labels it makes begin with name, "dc" for a table of parts alone; where
// there is no code it jumps to faultCode.
func (r *reader) symbol(table Register, e, v GPVirtual, name string) {
	i := r.index()
	MOVL(Mem{Base: table, Index: i, Scale: 4}, e.As32())
	TESTL(U32(63), e.As32())
	JNZ(LabelRef(name + "Code"))
	SHRL(Imm(16), e.As32())
	SHLL(Imm(restBits), e.As32())
	MOVQ(r.buf, i)
	SHRQ(Imm(48), i)
	ANDL(U32(1<<restBits-1), i.As32())
	ADDL(i.As32(), e.As32())
	MOVQ(Mem{Base: table, Disp: huffmanRest}, i)
	MOVL(Mem{Base: i, Index: e, Scale: 4}, e.As32())
	TESTL(e.As32(), e.As32())
	JZ(LabelRef("faultCode"))
	Label(name + "Code")
	MOVL(e.As32(), v.As32())
	SARL(Imm(16), v.As32())
	l := GP64()
	MOVL(e.As32(), l.As32())
	r.drop(l)
	if name != "dc" {
		TESTL(U32(entryPart), e.As32())
		JZ(LabelRef(name + "Whole"))
	}
	// As the function value.
	size, sign := GP64(), GP64()
	MOVL(v.As32(), size.As32())
	ANDL(Imm(15), size.As32())
	MOVQ(r.buf, sign)
	SARQ(Imm(63), sign)
	NOTL(sign.As32()) // -1 where the first bit is 0
	MOVL(U32(63), v.As32())
	SUBL(size.As32(), v.As32())
	MOVQ(r.buf, i)
	SHRQ(Imm(1), i)
	SHRXQ(v, i, v)
	r.drop(size)
	one := GP64()
	MOVL(U32(1), one.As32())
	SHLXL(size.As32(), one.As32(), one.As32())
	DECL(one.As32())
	ANDL(sign.As32(), one.As32())
	SUBL(one.As32(), v.As32())
	Label(name + "Whole")
}

// advance adds bits 8 to 14 of e, of which bit 15 is 0, to k.
func advance(e, k GPVirtual) {
	SHRL(Imm(8), e.As32())
	ANDL(U32(127), e.As32())
	ADDL(e.As32(), k.As32())
}

// blocks calls body for n blocks, with the registers that hold a block's AC table and entry in the
// list. The body ends by jumping to "next".
func blocks(body func(block, ac GPVirtual)) {
	block, ac := GP64(), GP64()
	Load(Param("list"), block)
	Label("block")
	MOVQ(Mem{Base: block, Disp: blockAC}, ac)
	body(block, ac)
	Label("next")
	ADDQ(Imm(blockBytes), block)
	DECQ(addr("n"))
	JNZ(LabelRef("block"))
}

// dc takes a block's DC difference and leaves the coefficient in v.
func (r *reader) dc(block, e, v GPVirtual) {
	dc, pred := GP64(), GP64()
	r.refill()
	MOVQ(Mem{Base: block, Disp: blockDC}, dc)
	r.symbol(dc, e, v, "dc")
	MOVQ(Mem{Base: block, Disp: blockPred}, pred)
	ADDL(Mem{Base: pred}, v.As32())
	MOVL(v.As32(), Mem{Base: pred})
}

// finish returns 0, and has the two ways to return a fault.
func (r *reader) finish() {
	r.save()
	result := GP64()
	XORL(result.As32(), result.As32())
	Store(result, ReturnIndex(0))
	RET()
	for _, f := range []struct {
		name string
		code int32
	}{{"faultRange", faultRange}, {"faultCode", faultCode}} {
		Label(f.name)
		r.save()
		MOVQ(I32(f.code), result)
		Store(result, ReturnIndex(0))
		RET()
	}
}

// addr is the memory of a parameter.
func addr(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// decodeBlocks is bits.block for some blocks. It takes five symbols at a time as long as each is
// in the table with its value: they have at most 50 bits.
func decodeBlocks() {
	TEXT("decodeBlocks", attr.NOSPLIT, "func(b *uint64, list **uint32, n int, c *int16, slots *int) int")
	Doc("decodeBlocks is bits.block for n blocks of a unit, at these places behind c.")
	Pragma("noescape")
	r := load()
	e, v, k := GP64(), GP64(), GP64()
	blocks(func(block, ac GPVirtual) {
		q, c, slot := GP64(), GP64(), GP64()
		MOVQ(Mem{Base: block, Disp: blockQ}, q)
		MOVQ(addr("slots"), slot)
		MOVQ(Mem{Base: slot}, c)
		ADDQ(Imm(8), slot)
		MOVQ(slot, addr("slots"))
		SHLQ(Imm(1), c)
		ADDQ(addr("c"), c)

		put := func() { // at the place of the coefficient before k
			place, scale := GP64(), GP64()
			MOVWLZX(Mem{Base: q, Index: k, Scale: 4, Disp: -4}, place.As32())
			MOVWLZX(Mem{Base: q, Index: k, Scale: 4, Disp: -2}, scale.As32())
			IMULL(v.As32(), scale.As32())
			MOVW(scale.As16(), Mem{Base: c, Index: place, Scale: 2})
		}
		r.dc(block, e, v)
		MOVL(U32(1), k.As32())
		put()

		Label("refill")
		r.refill()
		for range 5 {
			i := r.index()
			MOVL(Mem{Base: ac, Index: i, Scale: 4}, e.As32())
			TESTB(U8(entryPart), e.As8())
			JNZ(LabelRef("part"))
			MOVL(e.As32(), v.As32())
			SARL(Imm(16), v.As32())
			l := GP64()
			MOVL(e.As32(), l.As32())
			r.drop(l)
			advance(e, k)
			CMPL(k.As32(), U32(64))
			JG(LabelRef("over"))
			put()
			CMPL(k.As32(), U32(64))
			JE(LabelRef("next"))
		}
		JMP(LabelRef("refill"))

		Label("part")
		r.refill()
		r.symbol(ac, e, v, "ac")
		advance(e, k)
		CMPL(k.As32(), U32(64))
		JG(LabelRef("over"))
		put()
		CMPL(k.As32(), U32(64))
		JL(LabelRef("refill"))
		JMP(LabelRef("next"))

		Label("over") // by an end of block or a run of zeros, or damaged
		TESTL(v.As32(), v.As32())
		JNZ(LabelRef("faultRange"))
	})
	r.finish()
}

// skipBlocks is bits.skip for some blocks.
func skipBlocks() {
	TEXT("skipBlocks", attr.NOSPLIT, "func(b *uint64, list **uint32, n int) int")
	Doc("skipBlocks is bits.skip for n blocks of a unit.")
	Pragma("noescape")
	r := load()
	e, v, k := GP64(), GP64(), GP64()
	blocks(func(block, ac GPVirtual) {
		together := GP64()
		MOVQ(Mem{Base: ac, Disp: huffmanTogether}, together)
		r.dc(block, e, v)
		MOVL(U32(1), k.As32())

		Label("refill")
		r.refill()
		for range 2 { // of at most 25 bits each
			CMPL(k.As32(), together.As32())
			JGE(LabelRef("one"))
			i := r.index()
			MOVWLZX(Mem{Base: ac, Index: i, Scale: 2, Disp: huffmanSkip}, e.As32())
			TESTL(e.As32(), e.As32())
			JZ(LabelRef("one"))
			l := GP64()
			MOVL(e.As32(), l.As32())
			r.drop(l)
			MOVL(e.As32(), l.As32())
			SHRL(Imm(6), l.As32())
			ANDL(U32(127), l.As32())
			ADDL(l.As32(), k.As32())
			CMPL(k.As32(), U32(64))
			JGE(LabelRef("end"))
		}
		JMP(LabelRef("refill"))

		Label("one")
		r.refill()
		r.symbol(ac, e, v, "ac")
		advance(e, k)
		XORL(e.As32(), e.As32())
		TESTL(v.As32(), v.As32())
		SETEQ(e.As8())
		SHLL(Imm(13), e.As32()) // entryZero
		CMPL(k.As32(), U32(64))
		JL(LabelRef("refill"))

		Label("end")
		JE(LabelRef("next"))
		TESTL(U32(entryZero), e.As32())
		JZ(LabelRef("faultRange"))
	})
	r.finish()
}
