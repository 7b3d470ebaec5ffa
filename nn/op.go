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

// op is an operator of ours in a Gorgonia graph. It owns what it gives out: run writes the whole
// of it at each step, since the tape machine may add another gradient to it in place.
type op struct {
	name string
	id   int64 // makes the hash unique; Gorgonia merges nodes of equal hash
	in   []hm.Type
	out  *buffer
	wrt  []bool // which inputs have a gradient
	run  func(in []gorgonia.Value, out []float32)
	// diff makes the nodes of the inputs' gradients, nil for those without one.
	diff func(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes
}

var opIDs atomic.Int64

// apply puts an operator in the graph of its inputs.
func apply(o *op, in ...*gorgonia.Node) *gorgonia.Node {
	o.id = opIDs.Add(1)
	for _, n := range in {
		o.in = append(o.in, n.Type())
	}
	n, err := gorgonia.ApplyOp(o, in...)
	if err != nil {
		panic(fmt.Sprintf("nn: %s: %v", o.name, err)) // the shapes are ours, so is the mistake
	}
	return n
}

// Arity and the methods below make op a gorgonia.SDOp.
func (o *op) Arity() int { return len(o.in) }

// Type is the operator's signature: dense arrays of known types to one of float32.
func (o *op) Type() hm.Type {
	return hm.NewFnType(append(append([]hm.Type{}, o.in...), o.out.typeOf())...)
}

// InferShape returns the shape that was set when the operator was made.
func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.shape, nil }

// Do computes the operator and returns its own buffer.
func (o *op) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	v, data := o.out.get()
	o.run(in, data)
	return v, nil
}

// ReturnsPtr is false: the machine must not think that it may write into the result.
func (o *op) ReturnsPtr() bool { return false }

// CallsExtern is false: nothing to allocate beforehand.
func (o *op) CallsExtern() bool { return false }

// OverwritesInput is -1: no input is changed.
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

// DiffWRT says which inputs have a gradient.
func (o *op) DiffWRT(n int) []bool {
	if o.wrt == nil {
		return make([]bool, n)
	}
	return o.wrt
}

// SymDiff extends the graph by the inputs' gradients.
func (o *op) SymDiff(in gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	if o.diff == nil {
		return nil, fmt.Errorf("nn: %s has no gradient", o)
	}
	return o.diff(in, y, dy), nil
}

// buffer is what an operator gives out. Memory is taken when it is first needed, so a network
// that never trains has no gradients. An empty shape is a scalar.
type buffer struct {
	shape tensor.Shape
	value gorgonia.Value
	data  []float32
}

func newBuffer(shape ...int) *buffer { return &buffer{shape: tensor.Shape(shape)} }

// bufferOf gives out storage that exists already.
func bufferOf(data []float32, shape ...int) *buffer { return &buffer{shape: shape, data: data} }

func (b *buffer) typeOf() hm.Type {
	if len(b.shape) == 0 {
		return tensor.Float32
	}
	return gorgonia.TensorType{Dims: len(b.shape), Of: tensor.Float32}
}

func (b *buffer) get() (gorgonia.Value, []float32) {
	switch {
	case b.value != nil:
	case len(b.shape) == 0:
		v := new(gorgonia.F32)
		b.value, b.data = v, []float32{0}
	default:
		if b.data == nil {
			b.data = make([]float32, b.shape.TotalSize())
		}
		b.value = tensor.New(tensor.WithShape(b.shape...), tensor.WithBacking(b.data))
	}
	return b.value, b.data
}

// floats are the numbers of a value.
func floats(v gorgonia.Value) []float32 { return v.Data().([]float32) }
