package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// optimizers writes the updates of weights. Each operation is rounded on its own, nothing is
// fused: the portable twins give the same bits.
func optimizers(s isa) {
	momentum(s)
	descend(s)
	adadelta(s)
}

func momentum(s isa) {
	s.text("momentum", "w, grad, v *float32, rate, mu, decay float32", "is Momentum for n blocks.")
	w, g, v := pointer("w"), pointer("grad"), pointer("v")
	rate, mu, decay := s.same("rate"), s.same("mu"), s.same("decay")
	x, d, y := s.reg(), s.reg(), s.reg()
	s.loop([]run{w, g, v}, func(h int, at func(run) Mem) {
		VMOVUPS(at(w), x)
		VMULPS(decay, x, d)
		VADDPS(at(g), d, d)
		VMULPS(at(v), mu, y)
		VADDPS(d, y, y)
		VMOVUPS(y, at(v))
		VMULPS(rate, y, y)
		VSUBPS(y, x, x)
		VMOVUPS(x, at(w))
	})
	finish()
}

// descend is momentum without any.
func descend(s isa) {
	s.text("descend", "w, grad *float32, rate, decay float32", "is Momentum without any for n blocks.")
	w, g := pointer("w"), pointer("grad")
	rate, decay := s.same("rate"), s.same("decay")
	x, d := s.reg(), s.reg()
	s.loop([]run{w, g}, func(h int, at func(run) Mem) {
		VMOVUPS(at(w), x)
		VMULPS(decay, x, d)
		VADDPS(at(g), d, d)
		VMULPS(rate, d, d)
		VSUBPS(d, x, x)
		VMOVUPS(x, at(w))
	})
	finish()
}

func adadelta(s isa) {
	s.text("adadelta", "w, grad, squares, updates *float32, rate, rho, rest, eps, decay float32", "is Adadelta for n blocks.")
	w, g, squares, updates := pointer("w"), pointer("grad"), pointer("squares"), pointer("updates")
	rate, rho, rest, eps, decay := s.same("rate"), s.same("rho"), s.same("rest"), s.same("eps"), s.same("decay")
	x, d, q, a, u := s.reg(), s.reg(), s.reg(), s.reg(), s.reg()
	s.loop([]run{w, g, squares, updates}, func(h int, at func(run) Mem) {
		VMOVUPS(at(w), x)
		VMULPS(decay, x, d)
		VADDPS(at(g), d, d)
		VMULPS(d, d, q)
		VMULPS(rest, q, q)
		VMULPS(at(squares), rho, u)
		VADDPS(q, u, q)
		VMOVUPS(q, at(squares))
		VMOVUPS(at(updates), a)
		VADDPS(eps, a, u)
		VSQRTPS(u, u)
		VADDPS(eps, q, q)
		VSQRTPS(q, q)
		VDIVPS(q, u, u)
		VMULPS(d, u, u)
		VMULPS(rho, a, a)
		VMULPS(u, u, d)
		VMULPS(rest, d, d)
		VADDPS(d, a, a)
		VMOVUPS(a, at(updates))
		VMULPS(rate, u, u)
		VSUBPS(u, x, x)
		VMOVUPS(x, at(w))
	})
	finish()
}
