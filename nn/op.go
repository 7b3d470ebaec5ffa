package nn

import (
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	// Gorgonia's tensors keep Go pointers where only the collector's word protects them, and panic
	// at start on a Go version they do not know unless this is imported: Go's collector does not move.
	_ "go4.org/unsafe/assume-no-moving-gc"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// op is an operator of ours in a Gorgonia graph. It gives out a buffer that run has written.
type op struct {
	name string
	id   int64 // makes the hash unique; Gorgonia merges nodes of equal hash
	in   []hm.Type
	out  *buffer
	run  func()
}

var opIDs atomic.Int64

// Arity and the methods below make op a gorgonia.Op.
func (o *op) Arity() int { return len(o.in) }

// Type is the operator's signature: dense arrays of known types to one of float32.
func (o *op) Type() hm.Type {
	return hm.NewFnType(append(append([]hm.Type{}, o.in...), o.out.typeOf())...)
}

// InferShape returns the shape that was set when the operator was made.
func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.shape, nil }

// Do computes the operator and returns its buffer.
func (o *op) Do(...gorgonia.Value) (gorgonia.Value, error) {
	o.run()
	return o.out.value, nil
}

// ReturnsPtr is false: the machine must not think that it may write into the result.
func (o *op) ReturnsPtr() bool { return false }

// CallsExtern is false: nothing to allocate beforehand.
func (o *op) CallsExtern() bool { return false }

// OverwritesInput is -1: what is written in place is no business of the machine's.
func (o *op) OverwritesInput() int { return -1 }

// WriteHash writes the operator's name and number.
func (o *op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "vf2prep.%s#%d", o.name, o.id) }

// Hashcode hashes the name and number.
func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *op) String() string { return fmt.Sprintf("%s#%d", o.name, o.id) }
