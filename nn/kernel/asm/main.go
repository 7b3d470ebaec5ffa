// Command asm writes the AVX2 twins of package kernel's inner loops.
//
// Both sum products of one value with eight weights, a register of eight lanes. The sums of
// several windows, or of several channels, are kept at once: a multiply-add has four cycles'
// latency and two can begin in each, so fewer than eight sums leave the unit waiting.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for _, u := range []int{12, 4, 1} {
		correlate(u)
	}
	for _, u := range []int{8, 1} {
		outer(u)
	}
	Generate()
}

// correlate adds to sum[u][8] the products of windows u = 0..U-1, step bytes apart.
func correlate(windows int) {
	TEXT(fmt.Sprintf("correlate%d", windows), NOSPLIT, "func(x *float32, step, plane, row uintptr, blocks, rows, run int, w, sum *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("correlate%d is correlate for %d windows at once, step bytes apart; plane and row are in bytes too.", windows, windows))
	step := Load(Param("step"), GP64())
	w := Load(Param("w"), GP64())
	sum := Load(Param("sum"), GP64())
	acc := make([]reg.VecVirtual, windows)
	for u := range acc {
		acc[u] = YMM()
		VMOVUPS(Mem{Base: sum, Disp: 32 * u}, acc[u])
	}
	// Three windows are reached from one pointer: +0, +step, +2*step.
	blockX := Load(Param("x"), GP64())
	step3 := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	blocks := Load(Param("blocks"), GP64())
	v, x := YMM(), YMM()

	Label("block")
	rowX, rows := GP64(), Load(Param("rows"), GP64())
	MOVQ(blockX, rowX)
	Label("row")
	pointers := make([]reg.GPVirtual, (windows+2)/3)
	for i := range pointers {
		pointers[i] = GP64()
		if i == 0 {
			MOVQ(rowX, pointers[0])
		} else {
			LEAQ(Mem{Base: pointers[i-1], Index: step3, Scale: 1}, pointers[i])
		}
	}
	run := Load(Param("run"), GP64())
	Label("run")
	VMOVUPS(Mem{Base: w}, v)
	for u := range acc {
		at := Mem{Base: pointers[u/3]}
		if r := u % 3; r > 0 {
			at.Index, at.Scale = step, uint8(r)
		}
		VBROADCASTSS(at, x)
		VFMADD231PS(v, x, acc[u])
	}
	for _, p := range pointers {
		ADDQ(Imm(4), p)
	}
	ADDQ(Imm(32), w)
	DECQ(run)
	JNZ(LabelRef("run"))
	ADDQ(NewParamAddr("row", 24), rowX)
	DECQ(rows)
	JNZ(LabelRef("row"))
	ADDQ(NewParamAddr("plane", 16), blockX)
	DECQ(blocks)
	JNZ(LabelRef("block"))

	for u := range acc {
		VMOVUPS(acc[u], Mem{Base: sum, Disp: 32 * u})
	}
	VZEROUPPER()
	RET()
}

// outer adds to sum[u][8], for U values of x side by side, the products with g along a row.
func outer(channels int) {
	TEXT(fmt.Sprintf("outerRow%d", channels), NOSPLIT, "func(x *float32, xStep uintptr, dy *float32, dyStep uintptr, n int, sum *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("outerRow%d is outerRow for %d values of x side by side; steps are in bytes.", channels, channels))
	x, xStep := Load(Param("x"), GP64()), Load(Param("xStep"), GP64())
	g, gStep := Load(Param("dy"), GP64()), Load(Param("dyStep"), GP64())
	n := Load(Param("n"), GP64())
	sum := Load(Param("sum"), GP64())
	acc := make([]reg.VecVirtual, channels)
	for u := range acc {
		acc[u] = YMM()
		VXORPS(acc[u], acc[u], acc[u])
	}
	v, b := YMM(), YMM()
	Label("pixel")
	VMOVUPS(Mem{Base: g}, v)
	for u := range acc {
		VBROADCASTSS(Mem{Base: x, Disp: 4 * u}, b)
		VFMADD231PS(v, b, acc[u])
	}
	ADDQ(xStep, x)
	ADDQ(gStep, g)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	for u := range acc {
		VADDPS(Mem{Base: sum, Disp: 32 * u}, acc[u], acc[u])
		VMOVUPS(acc[u], Mem{Base: sum, Disp: 32 * u})
	}
	VZEROUPPER()
	RET()
}
