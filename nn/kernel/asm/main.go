// Command asm writes the assembly of package kernel: each kernel once for AVX-512 and once for AVX2.
//
// The portable twins are in the package; a kernel and its twins compute the same sums in the
// same order but for fused multiply-adds, and agree within the rounding of float32. Those of winograd are for
// AVX-512 alone; their twin is a direct convolution.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{{"512", 16}, {"256", 8}} {
		convolutions(s)
		outers(s)
		pointwise(s)
		linear(s)
		optimizers(s)
		if s.wide() {
			transpose(s)
			maxRow(s)
			winograd(s)
		}
	}
	Generate()
}

// isa is a set of vector instructions.
type isa struct {
	name  string
	width int // numbers in a register
}

// block is the number of channels that lie side by side.
const block = 16

func (s isa) wide() bool { return s.width == 16 }

// halves is how many registers a block takes.
func (s isa) halves() int { return block / s.width }

// bytes is the size of a register.
func (s isa) bytes() int { return 4 * s.width }

func (s isa) reg() reg.VecVirtual {
	if s.wide() {
		return ZMM()
	}
	return YMM()
}

func (s isa) regs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = s.reg()
	}
	return v
}

func (s isa) zero(v reg.VecVirtual) {
	if s.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// vectors loads the registers of a block of numbers.
func (s isa) vectors(from operand.Mem) []reg.VecVirtual {
	v := s.regs(s.halves())
	for h := range v {
		VMOVUPS(from.Offset(h*s.bytes()), v[h])
	}
	return v
}

// same fills a register with one parameter.
func (s isa) same(param string) reg.VecVirtual {
	v := s.reg()
	VBROADCASTSS(operand.Mem(mem(param)), v)
	return v
}

// mem is where a parameter is.
func mem(param string) operand.Mem {
	b, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// whereAbove sets dst to v where x is greater than floor, else to 0.
func (s isa) whereAbove(x operand.Op, floor reg.VecVirtual, v operand.Op, dst reg.VecVirtual) {
	const less = 1
	if s.wide() {
		k := K()
		VCMPPS(operand.Imm(less), x, floor, k)
		VMOVUPS_Z(v, k, dst)
		return
	}
	m := YMM()
	VCMPPS(operand.Imm(less), x, floor, m)
	VANDPS(v, m, dst)
}

func gp(param string) reg.Register { return Load(Param(param), GP64()) }

func finish() {
	VZEROUPPER()
	RET()
}
