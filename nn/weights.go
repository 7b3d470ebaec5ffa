package nn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/safetensors"
)

// ErrMismatch says that a file's weights are not those of this network.
var ErrMismatch = errors.New("weights do not fit the network")

// Save writes the weights as safetensors, in the order of the layers, with meta and, besides,
//
//	arch     name of the network
//	input    channels x height x width, "3x190x170"
//	classes  number of classes
//	format   "pt": the layouts are PyTorch's
//	digest   XXH3 of names, shapes and values
//
// The same weights and meta give the same bytes.
func (n *Network) Save(w io.Writer, meta map[string]string) error {
	all := maps.Clone(meta)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, n.identity())
	all["format"] = "pt"
	arrays := make([]safetensors.Floats, len(n.saved))
	for i, p := range n.saved {
		arrays[i] = safetensors.Floats{Name: p.Name, Shape: p.Shape, Data: p.Data}
	}
	all["digest"] = digestOf(arrays)
	return safetensors.WriteFloats(w, arrays, all)
}

// identity is what a file's metadata says about the network.
func (n *Network) identity() map[string]string {
	return map[string]string{
		"arch":    n.cfg.Arch,
		"input":   fmt.Sprintf("%dx%dx%d", n.cfg.Channels, n.cfg.Height, n.cfg.Width),
		"classes": strconv.Itoa(n.cfg.Classes),
	}
}

// digestOf names weights by names, shapes and values, so that a flipped bit is found.
func digestOf(arrays []safetensors.Floats) string {
	h := digest.New()
	var b []byte
	for _, a := range arrays {
		b = fmt.Appendf(b[:0], "%q%v", a.Name, a.Shape)
		for _, v := range a.Data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			if len(b) > 1<<16 {
				h.Write(b)
				b = b[:0]
			}
		}
		h.Write(b)
	}
	return h.String()
}

// Load reads weights from a safetensors file, ours or one that PyTorch's state dict was saved
// to, and returns its metadata. Names and shapes must be exactly the network's, every value
// finite, and where the metadata names network, input size, classes or a digest they must agree.
// Otherwise the error wraps [ErrMismatch], lists every misfit, and nothing has changed.
func (n *Network) Load(path string) (meta map[string]string, err error) {
	arrays, meta, err := safetensors.ReadFloats(path)
	if err != nil {
		return nil, err
	}
	var misfits []string
	misfit := func(format string, args ...any) { misfits = append(misfits, fmt.Sprintf(format, args...)) }

	want := n.identity()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got, ok := meta[key]; ok && got != want[key] {
			misfit("%s is %s, want %s", key, got, want[key])
		}
	}
	if want, ok := meta["digest"]; ok && digestOf(arrays) != want {
		misfit("digest of the weights is %s, want %s: the file is damaged", digestOf(arrays), want)
	}
	byName, more := n.match(arrays, nil)
	if misfits = append(misfits, more...); misfits != nil {
		return nil, fmt.Errorf("%s: %w: %s", path, ErrMismatch, strings.Join(misfits, "; "))
	}
	n.take(byName)
	return meta, nil
}

// Init takes the weights of another network of this kind as first weights: of the backbone, and of
// each head and the embedding if the file has them in the same shape. It returns the names of the
// parameters that keep the weights from the seed because it has not. What else the file's heads hold is left
// out.
//
// Everything else must be there, of the right shape and finite, or the error wraps [ErrMismatch],
// lists every misfit, and nothing has changed.
func (n *Network) Init(path string) (fresh []string, err error) {
	arrays, _, err := safetensors.ReadFloats(path)
	if err != nil {
		return nil, err
	}
	byName, misfits := n.match(arrays, n.plan.replaceable())
	if misfits != nil {
		return nil, fmt.Errorf("%s: %w: %s", path, ErrMismatch, strings.Join(misfits, "; "))
	}
	n.take(byName)
	for _, p := range n.saved {
		if _, ok := byName[p.Name]; !ok {
			fresh = append(fresh, p.Name)
		}
	}
	return fresh, nil
}

// replaceable gives the layer's name for each parameter of heads and embedding, those that another
// configuration of the network would have too.
func (p *plan) replaceable() map[string]string {
	out := map[string]string{}
	names := []string{"embedding", string(Gender), string(Age)}
	for _, l := range p.heads {
		if l.kind != KindTriplet {
			names = append(names, l.in[0].name)
		}
	}
	for _, name := range append(names, "fc", "classifier.6") {
		out[name+".weight"], out[name+".bias"] = name, name
	}
	return out
}

// match finds a file's array for each of the network's and says what does not fit. The parameters
// of a layer in optional fit or are left out, all of the layer together.
func (n *Network) match(arrays []safetensors.Floats, optional map[string]string) (byName map[string]safetensors.Floats, misfits []string) {
	misfit := func(format string, args ...any) { misfits = append(misfits, fmt.Sprintf(format, args...)) }
	given := map[string]safetensors.Floats{}
	for _, a := range arrays {
		given[a.Name] = a
	}
	left := map[string]bool{} // layers
	for _, p := range n.saved {
		if a, ok := given[p.Name]; !ok || !slices.Equal(a.Shape, p.Shape) {
			left[optional[p.Name]] = true
		}
	}
	byName = map[string]safetensors.Floats{}
	for _, p := range n.saved {
		a, ok := given[p.Name]
		delete(given, p.Name)
		layer := optional[p.Name]
		switch {
		case layer != "" && left[layer]:
			continue
		case !ok:
			misfit("%s is missing", p.Name)
		case !slices.Equal(a.Shape, p.Shape):
			misfit("%s has shape %v, want %v", p.Name, a.Shape, p.Shape)
		default:
			if i := notFinite(a.Data); i >= 0 {
				misfit("%s: value %d is %v", p.Name, i, a.Data[i])
			}
			byName[p.Name] = a
		}
	}
	for _, a := range arrays {
		if _, extra := given[a.Name]; extra && optional[a.Name] == "" {
			misfit("%s is unknown to %s", a.Name, n.cfg.Arch)
		}
	}
	return byName, misfits
}

// take copies arrays that fit.
func (n *Network) take(byName map[string]safetensors.Floats) {
	for _, p := range n.saved {
		if a, ok := byName[p.Name]; ok {
			copy(p.Data, a.Data)
		}
	}
}

// notFinite returns the place of the first value that is not a finite number, or -1.
func notFinite(data []float32) int {
	for i, v := range data {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return i
		}
	}
	return -1
}
