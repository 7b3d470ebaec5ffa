package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pointwise writes the kernels that go through runs of n blocks of 16 numbers. Where channels
// differ they are the numbers of a block, and each constant is a block too.
func pointwise(s isa) {
	moments(s)
	scaleShift(s, "scaleShift", false)
	scaleShift(s, "scaleShiftAdd", true)
	reduce(s)
	reduceMasked(s)
	normGrad(s)
	add(s)
	reluGrad(s)
}

// text begins a kernel over blocks.
func (s isa) text(name, args, doc string) {
	TEXT(name+s.name, NOSPLIT, "func(n int, "+args+")")
	Pragma("noescape")
	Doc(name + s.name + " " + doc)
}

// run is a pointer that moves along with the loop.
type run struct{ p reg.Register }

func pointer(param string) run { return run{gp(param)} }

// loop runs body for each of n blocks, once for each register of a block. after moves the pointers.
func (s isa) loop(pointers []run, body func(h int, at func(run) Mem)) {
	n := gp("n")
	Label("loop")
	for h := range s.halves() {
		body(h, func(r run) Mem { return Mem{Base: r.p, Disp: h * s.bytes()} })
	}
	for _, r := range pointers {
		ADDQ(Imm(4*block), r.p)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
}

// constants loads blocks that a pointer parameter each points to.
func (s isa) constants(params ...string) [][]reg.VecVirtual {
	var all [][]reg.VecVirtual
	for _, p := range params {
		all = append(all, s.vectors(Mem{Base: gp(p)}))
	}
	return all
}

// moments adds to sum and squares those of x - shift.
func moments(s isa) {
	s.text("moments", "x, shift, sum, squares *float32", "adds to sum and squares those of x - shift.")
	x := pointer("x")
	shift := s.constants("shift")[0]
	sum, squares := s.regs(s.halves()), s.regs(s.halves())
	for h := range sum {
		s.zero(sum[h])
		s.zero(squares[h])
	}
	d := s.reg()
	s.loop([]run{x}, func(h int, at func(run) Mem) {
		VMOVUPS(at(x), d)
		VSUBPS(shift[h], d, d)
		VADDPS(d, sum[h], sum[h])
		VFMADD231PS(d, d, squares[h])
	})
	s.addTo("sum", sum)
	s.addTo("squares", squares)
	finish()
}

// addTo adds registers to the block that a parameter points to.
func (s isa) addTo(param string, v []reg.VecVirtual) {
	p := gp(param)
	for h, r := range v {
		m := Mem{Base: p, Disp: h * s.bytes()}
		VADDPS(m, r, r)
		VMOVUPS(r, m)
	}
}

// scaleShift writes y = max(floor, x*scale + shift), or with r added before the maximum.
func scaleShift(s isa, name string, residual bool) {
	args, doc := "x, y, scale, shift *float32, floor float32", "computes y = max(floor, x*scale + shift)."
	if residual {
		args, doc = "x, r, y, scale, shift *float32, floor float32", "computes y = max(floor, x*scale + shift + r)."
	}
	s.text(name, args, doc)
	x, y := pointer("x"), pointer("y")
	pointers := []run{x, y}
	var r run
	if residual {
		r = pointer("r")
		pointers = append(pointers, r)
	}
	c := s.constants("scale", "shift")
	floor := s.same("floor")
	v := s.reg()
	s.loop(pointers, func(h int, at func(run) Mem) {
		VMOVUPS(at(x), v)
		VFMADD213PS(c[1][h], c[0][h], v)
		if residual {
			VADDPS(at(r), v, v)
		}
		VMAXPS(v, floor, v) // NaN stays NaN
		VMOVUPS(v, at(y))
	})
	finish()
}

// reduce sums g and g*(x - mean), where g is dy as far as x*scale + shift is above floor.
func reduce(s isa) {
	s.text("reduce", "x, dy, scale, shift, mean, sum, dot *float32, floor float32",
		"adds to sum and dot g and g*(x - mean), where g is dy where x*scale + shift is above floor.")
	x, dy := pointer("x"), pointer("dy")
	c := s.constants("scale", "shift", "mean")
	floor := s.same("floor")
	sum, dot := s.regs(s.halves()), s.regs(s.halves())
	for h := range sum {
		s.zero(sum[h])
		s.zero(dot[h])
	}
	v, u, g := s.reg(), s.reg(), s.reg()
	s.loop([]run{x, dy}, func(h int, at func(run) Mem) {
		VMOVUPS(at(x), v)
		VMOVAPS(v, u)
		VFMADD213PS(c[1][h], c[0][h], u)
		s.whereAbove(u, floor, at(dy), g)
		VADDPS(g, sum[h], sum[h])
		VSUBPS(c[2][h], v, v)
		VFMADD231PS(v, g, dot[h])
	})
	s.addTo("sum", sum)
	s.addTo("dot", dot)
	finish()
}

// reduceMasked is reduce where a ReLU's output y says what passes; it keeps g.
func reduceMasked(s isa) {
	s.text("reduceMasked", "x, y, dy, grad, mean, sum, dot *float32",
		"writes grad, which is dy where y is above 0, and adds it and its product with x - mean to sum and dot.")
	x, y, dy, out := pointer("x"), pointer("y"), pointer("dy"), pointer("grad")
	mean := s.constants("mean")[0]
	floor := s.reg()
	s.zero(floor)
	sum, dot := s.regs(s.halves()), s.regs(s.halves())
	for h := range sum {
		s.zero(sum[h])
		s.zero(dot[h])
	}
	v, g := s.reg(), s.reg()
	s.loop([]run{x, y, dy, out}, func(h int, at func(run) Mem) {
		VMOVUPS(at(y), v)
		s.whereAbove(v, floor, at(dy), g)
		VMOVUPS(g, at(out))
		VADDPS(g, sum[h], sum[h])
		VMOVUPS(at(x), v)
		VSUBPS(mean[h], v, v)
		VFMADD231PS(v, g, dot[h])
	})
	s.addTo("sum", sum)
	s.addTo("dot", dot)
	finish()
}

// normGrad writes dx = a*g + b*x + c, where g is dy as far as x*scale + shift is above floor.
func normGrad(s isa) {
	s.text("normGrad", "x, dy, dx, a, b, c, scale, shift *float32, floor float32",
		"computes dx = a*g + b*x + c, where g is dy where x*scale + shift is above floor.")
	x, dy, dx := pointer("x"), pointer("dy"), pointer("dx")
	k := s.constants("a", "b", "c", "scale", "shift")
	floor := s.same("floor")
	v, u, g := s.reg(), s.reg(), s.reg()
	s.loop([]run{x, dy, dx}, func(h int, at func(run) Mem) {
		VMOVUPS(at(x), v)
		VMOVAPS(v, u)
		VFMADD213PS(k[4][h], k[3][h], u)
		s.whereAbove(u, floor, at(dy), g)
		VFMADD213PS(k[2][h], k[1][h], v) // b*x + c
		VFMADD231PS(k[0][h], g, v)
		VMOVUPS(v, at(dx))
	})
	finish()
}

// add writes y = max(floor, a + b).
func add(s isa) {
	s.text("add", "a, b, y *float32, floor float32", "computes y = max(floor, a + b).")
	a, b, y := pointer("a"), pointer("b"), pointer("y")
	floor := s.same("floor")
	v := s.reg()
	s.loop([]run{a, b, y}, func(h int, at func(run) Mem) {
		VMOVUPS(at(a), v)
		VADDPS(at(b), v, v)
		VMAXPS(v, floor, v) // NaN stays NaN
		VMOVUPS(v, at(y))
	})
	finish()
}

// reluGrad writes dx = dy where y is above 0, else 0.
func reluGrad(s isa) {
	s.text("reluGrad", "y, dy, dx *float32", "computes dx, which is dy where y is above 0, else 0.")
	y, dy, dx := pointer("y"), pointer("dy"), pointer("dx")
	floor := s.reg()
	s.zero(floor)
	v, g := s.reg(), s.reg()
	s.loop([]run{y, dy, dx}, func(h int, at func(run) Mem) {
		VMOVUPS(at(y), v)
		s.whereAbove(v, floor, at(dy), g)
		VMOVUPS(g, at(dx))
	})
	finish()
}
