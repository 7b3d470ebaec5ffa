package nn

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Summary describes a network, for one sample.
//
// FLOPs counts two for each multiply-add of convolutions and fully connected layers, windows
// over the edge counted whole; additions of biases and shortcuts, ReLU, pooling and softmax count nothing.
type Summary struct {
	Arch       string  `json:"arch"`
	Input      []int   `json:"input"` // channels, height, width
	Classes    int     `json:"classes"`
	Embedding  int     `json:"embedding_width"`
	Parameters int64   `json:"parameters"`
	FLOPs      int64   `json:"flops"`
	Layers     []Layer `json:"layers"`
}

// Layer is one layer of a Summary.
type Layer struct {
	Name       string   `json:"name"`
	Kind       Kind     `json:"kind"`
	Detail     string   `json:"detail"` // "3x3, stride 2, ReLU"
	Inputs     []string `json:"inputs"` // names of layers
	Output     []int    `json:"output"` // channels, height, width, or features
	Parameters int64    `json:"parameters"`
	FLOPs      int64    `json:"flops"`
}

// Summarize describes the network that New would build, without building it.
func Summarize(cfg Config) (Summary, error) {
	p, err := cfg.plan()
	if err != nil {
		return Summary{}, err
	}
	return p.summary(cfg), nil
}

// Summary describes the network.
func (n *Network) Summary() Summary { return n.plan.summary(n.cfg) }

func (p *plan) summary(cfg Config) Summary {
	s := Summary{Arch: cfg.Arch, Input: []int{cfg.Channels, cfg.Height, cfg.Width}, Classes: cfg.Classes}
	for _, l := range p.layers {
		d := Layer{
			Name: l.name, Kind: l.kind, Detail: l.detail(), Inputs: []string{},
			Output: slices.Clone(l.out), Parameters: l.paramCount(), FLOPs: l.flops(),
		}
		for _, m := range l.in {
			d.Inputs = append(d.Inputs, m.name)
		}
		if l == p.features {
			s.Embedding = l.out[0]
		}
		s.Parameters += d.Parameters
		s.FLOPs += d.FLOPs
		s.Layers = append(s.Layers, d)
	}
	return s
}

func (l *layer) detail() string {
	var parts []string
	switch l.kind {
	case KindConv:
		parts = append(parts, fmt.Sprintf("%dx%d", l.conv.KH, l.conv.KW))
		if l.conv.Stride > 1 {
			parts = append(parts, fmt.Sprintf("stride %d", l.conv.Stride))
		}
	case KindAvgPool, KindMaxPool:
		parts = append(parts, fmt.Sprintf("%dx%d", l.pool.k, l.pool.k), fmt.Sprintf("stride %d", l.pool.stride))
	case KindNorm:
		if len(l.in) > 1 {
			parts = append(parts, "shortcut")
		}
	case KindGate:
		parts = append(parts, "sigmoid, shortcut")
	case KindDropout:
		parts = append(parts, fmt.Sprintf("%g", l.rate))
	}
	if l.relu {
		parts = append(parts, "ReLU")
	}
	return strings.Join(parts, ", ")
}

// Shape is a size as people write it, "16x190x170".
func Shape(s []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(s), "[]"), " ", "x")
}

// WriteText writes the summary as a table.
func (s Summary) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "layer\tkind\t\toutput\tparameters\tMFLOPs\n")
	for _, l := range s.Layers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.2f\n", l.Name, l.Kind, l.Detail, Shape(l.Output), thousands(l.Parameters), float64(l.FLOPs)/1e6)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s: input %s (channels x height x width), %d classes, embedding of %d numbers\n%s parameters, %.2f MFLOPs a sample (two for each multiply-add)\n",
		s.Arch, Shape(s.Input), s.Classes, s.Embedding, thousands(s.Parameters), float64(s.FLOPs)/1e6)
	return err
}

// thousands writes 9951543 as 9,951,543.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
