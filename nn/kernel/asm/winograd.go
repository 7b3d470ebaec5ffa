package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// winograd writes the transforms of package kernel's winograd, F(4x4, 3x3): all go through n
// blocks of 16 channels, and apply a small matrix to the columns and then to the rows of a square of them.
//
// A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
func winograd(s isa) {
	w := wino{isa: s, constants: map[float32]reg.VecVirtual{}}
	w.input()
	w.output("winoOutput", false)
	w.output("winoOutputAdd", true)
	w.gradient()
	w.weights()
	w.sums()
}

// Distances of package kernel, in bytes.
const (
	winoStep  = 4 * block * 57    // from frequency to frequency of transformed tiles
	winoCells = 4 * block * block // from frequency to frequency, or tap to tap, of sums
)

// The points that polynomials are evaluated at are 0, A, -A, B, -B and infinity. Those of the paper, 1 and 2, would
// give twice the rounding errors. The square roots of 1/2 and 2 are no better, and no numbers that
// float32 has. See B. Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for
// Deep Neural Networks", ACM TOMS 46(4), 2020.
var (
	pointA, pointB float32 = 5. / 8, 3. / 2
	a2, b2                 = pointA * pointA, pointB * pointB
	normA, normB           = 2 * a2 * (a2 - b2), 2 * b2 * (b2 - a2)
	ofWeights              = []float32{1 / (a2 * b2), 1 / normA, pointA / normA, a2 / normA, 1 / normB, pointB / normB, b2 / normB}
)

type wino struct {
	isa
	constants map[float32]reg.VecVirtual // of the kernel under way
}

// text begins a kernel that uses these constants.
func (w *wino) text(name, args, doc string, constants ...float32) {
	w.isa.text(name, args, doc)
	clear(w.constants)
	for _, c := range constants {
		r := w.reg()
		VBROADCASTSS(constant(c), r)
		w.constants[c] = r
	}
}

// constant is where a number is in memory.
func constant(c float32) Mem {
	m, ok := constants[c]
	if !ok {
		m = ConstData(fmt.Sprintf("wino%d", len(constants)), U32(math.Float32bits(c))) // F32(2) would be written as the whole number 2
		constants[c] = m
	}
	return m
}

var constants = map[float32]Mem{}

func (w *wino) load(m Op) reg.VecVirtual {
	r := w.reg()
	if mem, ok := m.(Mem); ok {
		VMOVUPS(mem, r)
	} else {
		VMOVAPS(m, r)
	}
	return r
}

// plus is a + b, minus a - b; b may be in memory.
func (w *wino) plus(a reg.VecVirtual, b Op) reg.VecVirtual {
	r := w.reg()
	VADDPS(b, a, r)
	return r
}

func (w *wino) minus(a reg.VecVirtual, b Op) reg.VecVirtual {
	r := w.reg()
	VSUBPS(b, a, r)
	return r
}

// gain adds c*b to a, lose takes it away.
func (w *wino) gain(a reg.VecVirtual, c float32, b Op) { VFMADD231PS(b, w.constants[c], a) }
func (w *wino) lose(a reg.VecVirtual, c float32, b Op) { VFNMADD231PS(b, w.constants[c], a) }

// square lists where a square's rows are: up to six, step apart.
func square(base, step reg.Register, rows int) func(row, col int) Mem {
	step3, step5 := reg.Register(nil), reg.Register(nil)
	if rows > 3 {
		step3 = thrice(step)
	}
	if rows > 5 {
		r := GP64()
		LEAQ(Mem{Base: step, Index: step, Scale: 4}, r)
		step5 = r
	}
	return func(row, col int) Mem {
		m := Mem{Base: base, Disp: 4 * block * col}
		switch row {
		case 1, 2, 4:
			m.Index, m.Scale = step, uint8(row)
		case 3:
			m.Index, m.Scale = step3, 1
		case 5:
			m.Index, m.Scale = step5, 1
		}
		return m
	}
}

// The rows of the three matrices, in the groups that share work.

// inputRows is B': rows 0; 1 and 2; 3 and 4; 5.
func (w *wino) inputRows(group int, d func(i int) Op) []reg.VecVirtual {
	switch group {
	case 0, 3:
		k := group / 3
		r := w.load(d(4 + k))
		w.gain(r, a2*b2, d(k))
		w.lose(r, a2+b2, d(2+k))
		return []reg.VecVirtual{r}
	}
	point, other := pointA, b2
	if group == 2 {
		point, other = pointB, a2
	}
	even, odd := w.load(d(4)), w.load(d(3))
	w.lose(even, other, d(2))
	w.lose(odd, other, d(1))
	return w.both(even, point, odd)
}

// gradientRows is A, in the same groups.
func (w *wino) gradientRows(group int, g func(i int) Op) []reg.VecVirtual {
	switch group {
	case 0, 3:
		return []reg.VecVirtual{w.load(g(group))}
	}
	point := pointA
	if group == 2 {
		point = pointB
	}
	even, odd := w.load(g(0)), w.load(g(1))
	w.gain(even, point*point, g(2))
	w.gain(odd, point*point, g(3))
	return w.both(even, point, odd)
}

// weightRows is G, in the same groups.
func (w *wino) weightRows(group int, g func(i int) Op) []reg.VecVirtual {
	switch group {
	case 0:
		r := w.load(g(0))
		VMULPS(w.constants[1/(a2*b2)], r, r)
		return []reg.VecVirtual{r}
	case 3:
		return []reg.VecVirtual{w.load(g(2))}
	}
	point, norm := pointA, normA
	if group == 2 {
		point, norm = pointB, normB
	}
	even, odd := w.load(g(0)), w.load(g(1))
	VMULPS(w.constants[1/norm], even, even)
	w.gain(even, (point*point)/norm, g(2))
	VMULPS(w.constants[point/norm], odd, odd)
	return []reg.VecVirtual{w.plus(even, odd), w.minus(even, odd)}
}

// both returns even + c*odd and even - c*odd.
func (w *wino) both(even reg.VecVirtual, c float32, odd reg.VecVirtual) []reg.VecVirtual {
	other := w.load(even)
	w.gain(even, c, odd)
	w.lose(other, c, odd)
	return []reg.VecVirtual{even, other}
}

// expand applies rows to the columns of a square of so many from memory, then to the rows of what comes out,
// and calls store with each of the 36 numbers, row by row in each group.
func (w *wino) expand(cols int, rows func(int, func(int) Op) []reg.VecVirtual, at func(row, col int) Mem, store func(f int, r reg.VecVirtual)) {
	first := 0
	for group := range 4 {
		var half [2][]reg.VecVirtual
		n := 0
		for c := range cols {
			out := rows(group, func(i int) Op { return at(i, c) })
			n = len(out)
			for i, r := range out {
				half[i] = append(half[i], r)
			}
		}
		for i := range n {
			f := 6 * (first + i)
			for g := range 4 {
				for _, r := range rows(g, func(k int) Op { return half[i][k] }) {
					store(f, r)
					f++
				}
			}
		}
		first += n
	}
}

// cells returns where number f of a tile is, f numbers of so many bytes on.
func cells(p run, step int) func(f int) Mem {
	return func(f int) Mem { return Mem{Base: p.p, Disp: f * step} }
}

// turn ends the loop over tiles: each pointer moves by its bytes.
func turn(n reg.Register, a run, bytesA int, b run, bytesB int) {
	ADDQ(U32(uint32(bytesA)), a.p)
	ADDQ(U32(uint32(bytesB)), b.p)
	DECQ(n)
	JNZ(LabelRef("loop"))
	finish()
}

const blockBytes = 4 * block

// input transforms tiles of 6x6 pixels, four columns apart.
func (w *wino) input() {
	w.text("winoInput", "x, v *float32, row uintptr", "transforms n tiles of a convolution's input, rows of which are row bytes apart.", pointA, pointB, a2, b2, a2*b2, a2+b2)
	x, v, row, n := pointer("x"), pointer("v"), gp("row"), gp("n")
	from, to := square(x.p, row, 6), cells(v, winoStep)
	Label("loop")
	w.expand(6, w.inputRows, from, func(f int, r reg.VecVirtual) { VMOVUPS(r, to(f)) })
	turn(n, x, 4*blockBytes, v, blockBytes)
}

// gradient transforms tiles of 4x4 pixels.
func (w *wino) gradient() {
	w.text("winoGradient", "dy, v *float32, row uintptr", "transforms n tiles of the gradient of a convolution's output, rows of which are row bytes apart.", pointA, pointB, a2, b2)
	g, v, row, n := pointer("dy"), pointer("v"), gp("row"), gp("n")
	from, to := square(g.p, row, 4), cells(v, winoStep)
	Label("loop")
	w.expand(4, w.gradientRows, from, func(f int, r reg.VecVirtual) { VMOVUPS(r, to(f)) })
	turn(n, g, 4*blockBytes, v, blockBytes)
}

// weights transforms windows of 3x3.
func (w *wino) weights() {
	w.text("winoWeights", "w, u *float32, tap, frequency uintptr", "transforms n blocks of 3x3 weights, whose taps are tap bytes apart, to 36 frequency bytes apart.", ofWeights...)
	g, u, tap, frequency, n := pointer("w"), pointer("u"), gp("tap"), gp("frequency"), gp("n")
	// of a row of taps and of frequencies
	tap3, to := thrice(tap), GP64()
	rows := [3]reg.Register{g.p, GP64(), GP64()}
	Label("loop")
	LEAQ(Mem{Base: g.p, Index: tap3, Scale: 1}, rows[1])
	LEAQ(Mem{Base: g.p, Index: tap3, Scale: 2}, rows[2])
	at := func(row, col int) Mem {
		m := Mem{Base: rows[row]}
		if col > 0 {
			m.Index, m.Scale = tap, uint8(col)
		}
		return m
	}
	MOVQ(u.p, to)
	w.expand(3, w.weightRows, at, func(f int, r reg.VecVirtual) {
		VMOVUPS(r, Mem{Base: to})
		ADDQ(frequency, to) // f comes in order
	})
	turn(n, g, blockBytes, u, blockBytes)
}

// output transforms 36 products to 4x4 pixels, A'mA.
func (w *wino) output(name string, add bool) {
	args, doc := "m, y *float32, row uintptr, bias *float32, floor float32", "writes the tiles of n blocks of products: max(floor, tile + bias)."
	if add {
		args, doc = "m, y *float32, row uintptr", "adds the tiles of n blocks of products to y."
	}
	w.text(name, args, doc)
	m, y, row, n := pointer("m"), pointer("y"), gp("row"), gp("n")
	var bias, floor reg.VecVirtual
	if !add {
		bias = w.vectors(Mem{Base: gp("bias")})[0]
		floor = w.same("floor")
	}
	from, to := cells(m, winoStep), square(y.p, row, 4)
	Label("loop")
	var rows [4][6]reg.VecVirtual
	for c := range 6 {
		var column [6]reg.VecVirtual
		for r := range column {
			column[r] = w.load(from(6*r + c))
		}
		for r, v := range w.outputRows(column) {
			rows[r][c] = v
		}
	}
	for r := range rows {
		for c, v := range w.outputRows(rows[r]) {
			if add {
				VADDPS(to(r, c), v, v)
			} else {
				VADDPS(bias, v, v)
				VMAXPS(v, floor, v) // NaN stays NaN
			}
			VMOVUPS(v, to(r, c))
		}
	}
	turn(n, m, blockBytes, y, 4*blockBytes)
}

// outputRows is A', in place. Its constants are in memory: a tile takes all registers but two.
func (w *wino) outputRows(m [6]reg.VecVirtual) [4]reg.VecVirtual {
	even := w.plus(m[1], m[2])
	VSUBPS(m[2], m[1], m[1])
	even2 := w.plus(m[3], m[4])
	VSUBPS(m[4], m[3], m[3])
	VADDPS(even, m[0], m[0])
	VADDPS(even2, m[0], m[0])
	VMULPS_BCST(constant(a2), even, even)
	VFMADD231PS_BCST(constant(b2), even2, even)
	VFMADD231PS_BCST(constant(a2*pointA), m[1], m[5])
	VFMADD231PS_BCST(constant(b2*pointB), m[3], m[5])
	VMULPS_BCST(constant(pointA), m[1], m[1])
	VFMADD231PS_BCST(constant(pointB), m[3], m[1])
	return [4]reg.VecVirtual{m[0], m[1], even, m[5]}
}

// sums transforms the 36 sums of the gradient of weights to that of 3x3 windows, G'sG.
func (w *wino) sums() {
	w.text("winoSums", "s, dw *float32", "transforms n blocks of 36 sums to 3x3.", ofWeights...)
	s, dw, n := pointer("s"), pointer("dw"), gp("n")
	from, to := cells(s, winoCells), cells(dw, winoCells)
	Label("loop")
	var rows [3][6]reg.VecVirtual
	for c := range 6 {
		var column [6]reg.VecVirtual
		for r := range column {
			column[r] = w.load(from(6*r + c))
		}
		for r, v := range w.sumRows(column) {
			rows[r][c] = v
		}
	}
	for r := range rows {
		for c, v := range w.sumRows(rows[r]) {
			VMOVUPS(v, to(3*r+c))
		}
	}
	turn(n, s, blockBytes, dw, blockBytes)
}

// sumRows is G', in place.
func (w *wino) sumRows(s [6]reg.VecVirtual) [3]reg.VecVirtual {
	evenA, evenB := w.plus(s[1], s[2]), w.plus(s[3], s[4])
	VSUBPS(s[2], s[1], s[1])
	VSUBPS(s[4], s[3], s[3])
	VMULPS(w.constants[1/(a2*b2)], s[0], s[0])
	w.gain(s[0], 1/normA, evenA)
	w.gain(s[0], 1/normB, evenB)
	VMULPS(w.constants[pointA/normA], s[1], s[1])
	w.gain(s[1], pointB/normB, s[3])
	w.gain(s[5], a2/normA, evenA)
	w.gain(s[5], b2/normB, evenB)
	return [3]reg.VecVirtual{s[0], s[1], s[5]}
}
