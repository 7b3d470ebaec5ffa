package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// maxRow writes a row of outputs of max pooling whose windows lie within the map, kh rows and kw
// columns each, and for each number which pixel of its window it came from, counted from first.
func maxRow(s isa) {
	TEXT("maxRow"+s.name, NOSPLIT, "func(x, y *float32, from *uint8, cols, kh, kw int, first int32, xStep, xRow uintptr)")
	Pragma("noescape")
	Doc("maxRow" + s.name + " writes the largest numbers of windows side by side, and where in the window they were.")
	x, y, from, cols := gp("x"), gp("y"), gp("from"), gp("cols")
	step, rowStep := gp("xStep"), gp("xRow")
	start, one := s.reg(), s.reg()
	number := GP32()
	Load(Param("first"), number)
	VPBROADCASTD(number, start)
	MOVL(U32(1), number)
	VPBROADCASTD(number, one)
	best, v, at, tap, k := s.reg(), s.reg(), s.reg(), s.reg(), K()
	row, p, rows, left := GP64(), GP64(), GP64(), GP64()
	Label("column")
	VMOVUPS(Mem{Base: x}, best)
	VMOVDQA32(start, at)
	VMOVDQA32(start, tap)
	MOVQ(x, row)
	Load(Param("kh"), rows)
	Label("row")
	MOVQ(row, p)
	Load(Param("kw"), left)
	Label("pixel")
	VMOVUPS(Mem{Base: p}, v)
	const less = 1
	VCMPPS(Imm(less), v, best, k)
	VMOVAPS(v, k, best)
	VMOVDQA32(tap, k, at)
	VPADDD(one, tap, tap)
	ADDQ(Imm(4*block), p)
	DECQ(left)
	JNZ(LabelRef("pixel"))
	ADDQ(rowStep, row)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VMOVUPS(best, Mem{Base: y})
	VPMOVDB(at, Mem{Base: from})
	ADDQ(step, x)
	ADDQ(Imm(4*block), y)
	ADDQ(Imm(block), from)
	DECQ(cols)
	JNZ(LabelRef("column"))
	finish()
}
