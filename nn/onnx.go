package nn

import (
	"encoding/binary"
	"io"
	"maps"
	"math"
	"slices"
)

// WriteONNX writes the network for inference in the Open Neural Network Exchange format, operator
// set 13, with its weights inside. The input is "x" [N, C, H, W], any N; outputs are "embedding" [N,
// EmbeddingWidth] and one for each head, named after its kind, before softmax or sigmoid. meta
// becomes the model's metadata. The same weights and meta give the same bytes.
func (n *Network) WriteONNX(w io.Writer, meta map[string]string) error {
	x := &onnx{net: n, names: make([]string, len(n.plan.layers)), flat: make([]bool, len(n.plan.layers))}
	for _, l := range n.plan.layers {
		x.layer(l)
	}
	outputs := map[string]*layer{"embedding": n.plan.features}
	for _, loss := range n.plan.heads {
		if loss.kind != KindTriplet {
			outputs[string(loss.head.Kind)] = loss.in[0]
		}
	}
	graph := message{}
	for _, node := range x.nodes {
		graph.message(1, node)
	}
	graph.text(2, n.cfg.Arch)
	for _, p := range x.tensors {
		graph.message(5, p)
	}
	graph.message(11, valueInfo("x", n.cfg.Channels, n.cfg.Height, n.cfg.Width))
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		l := outputs[name]
		graph.message(1, node("Identity", []string{x.features(l)}, name))
		graph.message(12, valueInfo(name, l.out...))
	}
	model := message{}
	model.number(1, 8) // version of the format, which goes with operator set 13 and later
	model.text(2, "vf2prep")
	model.message(7, graph)
	opset := message{}
	opset.number(2, 13)
	model.message(8, opset)
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		entry := message{}
		entry.text(1, key)
		entry.text(2, meta[key])
		model.message(14, entry)
	}
	for _, c := range model.chunks {
		if _, err := w.Write(c); err != nil {
			return err
		}
	}
	return nil
}

// onnx is a network on its way to a graph of ONNX operators.
type onnx struct {
	net     *Network
	nodes   []message
	tensors []message
	names   []string // of each layer's output
	flat    []bool   // it is [N, features], not [N, C, H, W]
	params  int      // how many of the network's are written
}

// emit adds an operator and returns the name of its output.
func (x *onnx) emit(kind, out string, in []string, attributes ...message) string {
	x.nodes = append(x.nodes, node(kind, in, out, attributes...))
	return out
}

// features is a layer's output with one row of features a sample.
func (x *onnx) features(l *layer) string {
	name := x.names[l.index]
	if !x.flat[l.index] {
		name = x.emit("Flatten", name+".flat", []string{name}, ints("axis", 1))
		x.names[l.index], x.flat[l.index] = name, true
	}
	return name
}

func (x *onnx) layer(l *layer) {
	var in []string
	for _, m := range l.in {
		in = append(in, x.names[m.index])
	}
	out := "/" + l.name // so that no output of the model has the same
	var params []string
	for range l.params {
		p := x.net.saved[x.params]
		x.params++
		x.tensors = append(x.tensors, tensorProto(p))
		params = append(params, p.Name)
	}
	switch l.kind {
	case KindInput:
		out = "x"
	case KindConv:
		s := l.conv
		out = x.emit("Conv", out, append(in, params...), numbers("kernel_shape", s.KH, s.KW), numbers("strides", s.Stride, s.Stride),
			numbers("pads", s.Pad.Top, s.Pad.Left, s.Pad.Bottom, s.Pad.Right))
	case KindNorm:
		out = x.emit("BatchNormalization", out, append(in[:1:1], params...), float("epsilon", 1e-5))
		if len(in) > 1 {
			out = x.emit("Add", out+".add", []string{out, in[1]})
		}
	case KindAdd:
		out = x.emit("Add", out, in)
	case KindAvgPool:
		out = x.emit("AveragePool", out, in, numbers("kernel_shape", l.pool.k, l.pool.k), numbers("strides", l.pool.stride, l.pool.stride))
	case KindMaxPool:
		pad := l.pool.pad
		out = x.emit("MaxPool", out, in, numbers("kernel_shape", l.pool.k, l.pool.k), numbers("strides", l.pool.stride, l.pool.stride),
			numbers("pads", pad, pad, pad, pad))
	case KindMean:
		out = x.emit("GlobalAveragePool", out, in)
	case KindGate:
		open := x.emit("Sigmoid", out+".sigmoid", in[1:2])
		out = x.emit("Mul", out+".scale", []string{in[0], open})
		out = x.emit("Add", out+".add", []string{out, in[2]})
	case KindFlatten:
		out, x.flat[l.index] = x.emit("Flatten", out, in, ints("axis", 1)), true
	case KindLinear:
		if len(l.params[0].shape) == 4 { // squeeze-and-excitation's, on maps of one pixel
			out = x.emit("Conv", out, append(in, params...), numbers("kernel_shape", 1, 1))
			break
		}
		in[0] = x.features(l.in[0])
		out, x.flat[l.index] = x.emit("Gemm", out, append(in, params...), ints("transB", 1)), true
	case KindDropout:
		out, x.flat[l.index] = in[0], x.flat[l.in[0].index]
	}
	if l.relu {
		out = x.emit("Relu", out+".relu", []string{out})
	}
	x.names[l.index] = out
}

func node(kind string, in []string, out string, attributes ...message) message {
	m := message{}
	for _, name := range in {
		m.text(1, name)
	}
	m.text(2, out)
	m.text(3, out)
	m.text(4, kind)
	for _, a := range attributes {
		m.message(5, a)
	}
	return m
}

// Kinds of attributes.
const (
	attributeFloat = 1
	attributeInt   = 2
	attributeInts  = 7
)

func ints(name string, v int) message {
	m := message{}
	m.text(1, name)
	m.number(3, uint64(v))
	m.number(20, attributeInt)
	return m
}

func numbers(name string, values ...int) message {
	m := message{}
	m.text(1, name)
	for _, v := range values {
		m.number(8, uint64(v))
	}
	m.number(20, attributeInts)
	return m
}

func float(name string, v float32) message {
	m := message{}
	m.text(1, name)
	m.raw(binary.LittleEndian.AppendUint32([]byte{2<<3 | 5}, math.Float32bits(v)))
	m.number(20, attributeFloat)
	return m
}

const onnxFloat = 1 // the element type

func tensorProto(p *Param) message {
	m := message{}
	for _, s := range p.Shape {
		m.number(1, uint64(s))
	}
	m.number(2, onnxFloat)
	m.text(8, p.Name)
	data := make([]byte, 4*len(p.Data))
	for i, v := range p.Data {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
	}
	m.bytes(9, data)
	return m
}

// valueInfo describes an input or output [N, shape...].
func valueInfo(name string, shape ...int) message {
	dims := message{}
	batch := message{}
	batch.text(2, "N")
	dims.message(1, batch)
	for _, s := range shape {
		d := message{}
		d.number(1, uint64(s))
		dims.message(1, d)
	}
	t := message{}
	t.number(1, onnxFloat)
	t.message(2, dims)
	kind := message{}
	kind.message(1, t)
	m := message{}
	m.text(1, name)
	m.message(2, kind)
	return m
}

// message is a protocol buffer: pieces that are written one after another, so that weights are not
// copied from message to message.
type message struct {
	chunks [][]byte
	size   int
}

func (m *message) raw(b []byte) { m.chunks, m.size = append(m.chunks, b), m.size+len(b) }

func (m *message) number(field int, v uint64) {
	m.raw(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3), v))
}

// head begins a field of n bytes.
func (m *message) head(field, n int) {
	m.raw(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3|2), uint64(n)))
}

func (m *message) bytes(field int, b []byte) {
	m.head(field, len(b))
	m.raw(b)
}

func (m *message) text(field int, s string) { m.bytes(field, []byte(s)) }

func (m *message) message(field int, part message) {
	m.head(field, part.size)
	m.chunks, m.size = append(m.chunks, part.chunks...), m.size+part.size
}
